package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// Config configures a Connector. URL or URLs is required.
type Config struct {
	// URL is the broker: mqtt://HOST:PORT, mqtts://HOST:PORT for TLS, ws://HOST:PORT/PATH and wss://HOST:PORT/PATH for
	// MQTT over WebSocket. The default ports are 1883, 8883, 80 and 443, the default path is /mqtt. Path and query are
	// sent as written. If zero, URLs is used.
	URL string

	// URLs are servers of one broker, tried after URL. The first that answers is used until it fails. If both are zero,
	// New fails.
	URLs []string

	// TLS is used with mqtts:// and wss://. If nil, the system's certificate authorities and the URL's host name are
	// used.
	TLS *tls.Config

	// Node is the gateway's name and part of the client ids of its own connections. It must be unique at the broker. If
	// zero, "exgate".
	Node string

	// Username and Password are the gateway's account, used for shared sessions, the gateway's status and messages left
	// in the spool. If zero, the gateway connects without. Device sessions use the device's credentials.
	Username, Password string

	// ConnectTimeout bounds dialing and the handshake until CONNACK, for each server. If zero, 5 s.
	ConnectTimeout time.Duration

	// KeepAlive is MQTT's Keep Alive, in whole seconds. A PINGREQ is sent after three quarters of it. The broker may
	// override it in CONNACK. If zero, 60 s.
	KeepAlive time.Duration

	// PacketTimeout bounds the wait for SUBACK, UNSUBACK and PINGRESP. If zero, 5 s.
	PacketTimeout time.Duration

	// AckTimeout is how long a publish may wait for PUBACK or PUBCOMP before the connection is dropped and the message
	// is sent again over a new one. If zero, 30 s.
	AckTimeout time.Duration

	// SessionExpiry is how long the broker keeps a device's session, and queues messages for it, after the device has
	// disconnected. If zero, the session ends with the device and survives only a lost connection to the broker.
	SessionExpiry time.Duration

	// CleanStart says whether a device's login begins a new session at the broker. mosquitto does not persist sessions
	// that began with Clean Start 1. If nil, true unless SessionExpiry is set.
	CleanStart *bool

	// MaxDials is how many connections are opened at once. If zero, 64.
	MaxDials int

	// ReceiveMaximum is how many messages of QoS 1 and 2 the broker may send without acknowledgement. If zero, 20.
	ReceiveMaximum uint16

	// MaxPacketSize is the largest packet, in bytes, that the broker may send. A larger one ends the connection. If
	// zero, 4 MiB.
	MaxPacketSize uint32

	// ReconnectDelay is the shortest delay before reconnecting. It doubles up to 30 s; up to as much again is added at
	// random. If zero, 1 s.
	ReconnectDelay time.Duration

	// MessageExpiry is the Message Expiry Interval of publishes; time in the spool counts. If zero, messages do not
	// expire.
	MessageExpiry time.Duration

	// UserProperties adds the user properties protocol, protocol_version, peer and listener to each CONNECT and PUBLISH
	// of a device. The default is false.
	UserProperties bool

	// ControlTopic is the prefix of the topics on which the gateways at one broker announce the logins of shared
	// sessions. Devices of this gateway can neither publish nor subscribe there. Anyone else who can publish there can
	// end sessions, so the broker must allow it to gateways only. If zero, exgate/control.
	ControlTopic string

	// StateTopic is the prefix of the topics with the states of devices, which devices can neither publish to nor
	// subscribe to. Optional.
	StateTopic string

	// DeviceStatus publishes which devices are connected. If its Topic is zero, it is off.
	DeviceStatus Status

	// GatewayStatus publishes whether the gateway is connected. If its Topic is zero, it is off.
	GatewayStatus Status

	// Spool keeps publishes of QoS 1 and 2 on disk until the broker has them. Without a Folder there is no spool.
	Spool SpoolConfig

	// Logger receives log messages. If nil, slog.Default().
	Logger *slog.Logger

	// Metrics receives the metrics. If nil, a private unregistered set.
	Metrics *Metrics
}

func (cfg Config) withDefaults() Config {
	setDefault(&cfg.Node, "exgate")
	setDefault(&cfg.ConnectTimeout, 5*time.Second)
	setDefault(&cfg.KeepAlive, time.Minute)
	setDefault(&cfg.PacketTimeout, 5*time.Second)
	setDefault(&cfg.AckTimeout, 30*time.Second)
	setDefault(&cfg.MaxDials, 64)
	setDefault(&cfg.ReceiveMaximum, 20)
	setDefault(&cfg.MaxPacketSize, 4<<20)
	setDefault(&cfg.ReconnectDelay, time.Second)
	setDefault(&cfg.ControlTopic, "exgate/control")
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	cfg.DeviceStatus = cfg.DeviceStatus.withDefaults()
	cfg.GatewayStatus = cfg.GatewayStatus.withDefaults()
	cfg.Spool = cfg.Spool.withDefaults()
	return cfg
}

// check validates the configuration.
func (cfg Config) check() error {
	if min(cfg.ConnectTimeout, cfg.KeepAlive, cfg.PacketTimeout, cfg.AckTimeout, cfg.SessionExpiry, cfg.ReconnectDelay,
		cfg.MessageExpiry, time.Duration(cfg.MaxDials)) < 0 {
		return errors.New("MQTT connector: a duration or a limit is negative")
	}
	err := errors.Join(topic.CheckString("upstream.username", cfg.Username),
		topic.CheckBinary("upstream.password_file", cfg.Password))
	if err != nil {
		return err
	}
	if err := topic.CheckName(cfg.ControlTopic); err != nil {
		return fmt.Errorf("upstream.control_topic: %w", err)
	}
	if err := cfg.DeviceStatus.check("upstream.device_status", "${clientid}", "${username}", "${listener}",
		"${module}"); err != nil {
		return err
	}
	return cfg.GatewayStatus.check("upstream.gateway_status", "${node}")
}

// cleanStart returns the Clean Start flag of a device's login.
func (cfg Config) cleanStart() bool {
	if cfg.CleanStart != nil {
		return *cfg.CleanStart
	}
	return cfg.SessionExpiry == 0
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Status configures a topic that shows whether a client is connected. Offline is also the client's will, which the
// broker publishes if the connection ends without DISCONNECT (MQTT 5, section 3.1.2.5).
type Status struct {
	// Topic may contain ${clientid}, ${username}, ${listener} and ${module} for devices, and ${node} for the gateway.
	// If zero, no status is published.
	Topic string
	// Online and Offline are the payloads. If zero, "online" and "offline".
	Online, Offline string
	// QoS is the QoS of both. If zero, 0.
	QoS byte
	// Retain publishes both as retained messages.
	Retain bool
}

func (s Status) withDefaults() Status {
	if s.Topic != "" {
		setDefault(&s.Online, "online")
		setDefault(&s.Offline, "offline")
	}
	return s
}

// check validates the status; errors name the setting.
func (s Status) check(setting string, known ...string) error {
	if s.Topic == "" {
		return nil
	}
	if p := gateway.UnknownPlaceholder(s.Topic, known...); p != "" {
		return fmt.Errorf("%s.topic: unknown placeholder %s; use one of %s", setting, p, strings.Join(known, ", "))
	}
	if err := topic.CheckName(s.Topic); err != nil {
		return fmt.Errorf("%s.topic: %w", setting, err)
	}
	if err := errors.Join(topic.CheckBinary(setting+".online", s.Online),
		topic.CheckBinary(setting+".offline", s.Offline)); err != nil {
		return err
	}
	if s.QoS > 2 {
		return fmt.Errorf("%s.qos: must be 0, 1 or 2, not %d", setting, s.QoS)
	}
	return nil
}

// of returns the status of one device.
func (s Status) of(device gateway.Device) (Status, error) {
	if s.Topic == "" {
		return s, nil
	}
	filled, err := device.FillTopic(s.Topic)
	if err == nil {
		err = topic.CheckName(filled)
	}
	if err != nil {
		return Status{}, &gateway.ResultError{Result: gateway.Refuse(gateway.CodeParamsTypeError,
			"upstream.device_status.topic: %v", err)}
	}
	s.Topic = filled
	return s, nil
}

// ofNode returns the status of the gateway.
func (s Status) ofNode(node string) Status {
	s.Topic = strings.ReplaceAll(s.Topic, "${node}", CleanLevel(node))
	return s
}

// CleanLevel turns a name into one topic level.
func CleanLevel(name string) string {
	return strings.NewReplacer("+", "-", "#", "-", "/", "-").Replace(name)
}

func (s Status) isSet() bool { return s.Topic != "" }
