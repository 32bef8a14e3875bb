package mqtt

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

// Config is what a Connector is made with. Only URL or URLs is required.
type Config struct {
	// URL is the broker: mqtt://HOST:PORT, mqtts://HOST:PORT for TLS, ws://HOST:PORT/PATH and wss://HOST:PORT/PATH for MQTT over WebSocket. If the port
	// is missing: 1883, 8883, 80 or 443; if the path is: /mqtt. Path and query are asked for as they stand here. If zero, URLs.
	URL string

	// URLs are several servers of one broker. The first that answers is taken, and kept until it fails. They come after URL. If both are zero, New fails.
	URLs []string

	// TLS is used with mqtts:// and wss://. If zero, the system's certificate authorities and the URL's host name.
	TLS *tls.Config

	// Node is the gateway's name, part of the client ids of its own connections. Two gateways at one broker need two. If zero, "exgate".
	Node string

	// Username and Password are the gateway's own account: for the connections of shared sessions, the status of the gateway and what devices left in
	// the spool. If zero, the gateway connects without. Devices with a session of their own have their own.
	Username, Password string

	// ConnectTimeout bounds dialing and the handshake until CONNACK, for each server. If zero, 5 s.
	ConnectTimeout time.Duration

	// KeepAlive is MQTT's, in whole seconds: after three quarters of it without a packet the broker is asked for a sign of life. The broker
	// may ask for another value in CONNACK. If zero, 60 s.
	KeepAlive time.Duration

	// PacketTimeout bounds the wait for SUBACK, UNSUBACK and PINGRESP. If zero, 5 s.
	PacketTimeout time.Duration

	// AckTimeout is how long a publish may wait for PUBACK or PUBCOMP before the connection counts as lost and the message is
	// sent again over a new one. If zero, 30 s.
	AckTimeout time.Duration

	// SessionExpiry is how long the broker keeps a device's session, and queues for it, after the device has gone. If zero, the session ends with the
	// device, and outlives only a lost connection to the broker.
	SessionExpiry time.Duration

	// CleanStart says whether a device's login begins a new session at the broker. mosquitto does not keep a session on disk that began with Clean
	// Start 1. If nil, true unless SessionExpiry is set.
	CleanStart *bool

	// MaxDials is how many connections are opened at once. If zero, 64.
	MaxDials int

	// ReceiveMaximum is how many messages of QoS 1 and 2 the broker may send without acknowledgement. If zero, 20.
	ReceiveMaximum uint16

	// MaxPacketSize is the largest packet, in bytes, that the broker may send. A broker that sends a larger one loses the connection. If zero, 4 MiB.
	MaxPacketSize uint32

	// ReconnectDelay is the shortest pause before a lost connection is opened again; it doubles up to 30 s, and up to its length
	// is added at random. If zero, 1 s.
	ReconnectDelay time.Duration

	// MessageExpiry is how long the broker keeps a message for a subscriber who is away; time in the spool counts. If zero, without end.
	MessageExpiry time.Duration

	// UserProperties adds the user properties protocol, protocol_version, peer and listener to each CONNECT and PUBLISH of a device. If zero, none.
	UserProperties bool

	// ControlTopic is the first part of the topics with which the gateways at one broker tell each other which device of a shared session is theirs.
	// No device of this gateway may publish or subscribe there, and none gets a message from there. Whoever else may publish there can take a device
	// from its gateway: the broker must allow it to gateways only. If zero, exgate/control.
	ControlTopic string

	// DeviceStatus says at the broker which devices are connected. If its Topic is zero, nothing does.
	DeviceStatus Status

	// GatewayStatus says at the broker whether the gateway is connected. If its Topic is zero, nothing does.
	GatewayStatus Status

	// Spool keeps publishes of QoS 1 and 2 on disk until the broker has them. If its Folder is zero, there is none.
	Spool SpoolConfig

	// Logger gets what a person should know. If zero, slog.Default().
	Logger *slog.Logger

	// Metrics counts. If zero, a private unregistered set.
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

// check finds what no default can mend.
func (cfg Config) check() error {
	if min(cfg.ConnectTimeout, cfg.KeepAlive, cfg.PacketTimeout, cfg.AckTimeout, cfg.SessionExpiry, cfg.ReconnectDelay, cfg.MessageExpiry,
		time.Duration(cfg.MaxDials)) < 0 {
		return errors.New("MQTT connector: a duration or a limit is negative")
	}
	err := errors.Join(topic.CheckString("upstream.username", cfg.Username), topic.CheckBinary("upstream.password_file", cfg.Password))
	if err != nil {
		return err
	}
	if err := topic.CheckName(cfg.ControlTopic); err != nil {
		return fmt.Errorf("upstream.control_topic: %w", err)
	}
	if err := cfg.DeviceStatus.check("upstream.device_status", "${clientid}", "${username}", "${listener}", "${module}"); err != nil {
		return err
	}
	return cfg.GatewayStatus.check("upstream.gateway_status", "${node}")
}

// cleanStart says how a device's login begins.
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

// Status is a topic that says who is connected. What is published there while somebody is, and what when not; the broker publishes the latter itself
// where the connection ends without a goodbye (MQTT 5, section 3.1.2.5, the will).
type Status struct {
	// Topic may contain ${clientid}, ${username}, ${listener} and ${module} for devices, and ${node} for the gateway. If zero, there is no status.
	Topic string
	// Online and Offline are the payloads. If zero, "online" and "offline".
	Online, Offline string
	// QoS is that of both. If zero, 0.
	QoS byte
	// Retain has the broker keep the last of them.
	Retain bool
}

func (s Status) withDefaults() Status {
	if s.Topic != "" {
		setDefault(&s.Online, "online")
		setDefault(&s.Offline, "offline")
	}
	return s
}

// check says what is wrong, after the name of the setting.
func (s Status) check(setting string, known ...string) error {
	if s.Topic == "" {
		return nil
	}
	if p := gateway.UnknownPlaceholder(s.Topic, known...); p != "" {
		return fmt.Errorf("%s.topic: %s is not known here: there are %s", setting, p, strings.Join(known, ", "))
	}
	if err := topic.CheckName(s.Topic); err != nil {
		return fmt.Errorf("%s.topic: %w", setting, err)
	}
	if err := errors.Join(topic.CheckBinary(setting+".online", s.Online), topic.CheckBinary(setting+".offline", s.Offline)); err != nil {
		return err
	}
	if s.QoS > 2 {
		return fmt.Errorf("%s.qos: QoS %d does not exist", setting, s.QoS)
	}
	return nil
}

// of is the status of one device. Without a topic for it, it has none.
func (s Status) of(device gateway.Device) (Status, error) {
	if s.Topic == "" {
		return s, nil
	}
	filled, err := device.FillTopic(s.Topic)
	if err == nil {
		err = topic.CheckName(filled)
	}
	if err != nil {
		return Status{}, &gateway.ResultError{Result: gateway.Refuse(gateway.CodeParamsTypeError, "upstream.device_status.topic: %v", err)}
	}
	s.Topic = filled
	return s, nil
}

// ofNode is the status of the gateway.
func (s Status) ofNode(node string) Status {
	s.Topic = strings.ReplaceAll(s.Topic, "${node}", cleanLevel(node))
	return s
}

// cleanLevel makes a name one level of a topic.
func cleanLevel(name string) string {
	return strings.NewReplacer("+", "-", "#", "-", "/", "-").Replace(name)
}

func (s Status) isSet() bool { return s.Topic != "" }
