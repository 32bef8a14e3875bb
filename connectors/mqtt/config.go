package mqtt

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"
)

// Config is what a Connector is made with. Only URL is required.
type Config struct {
	// URL is the broker: mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS. If the port is missing, 1883 or 8883. If zero, New fails.
	URL string

	// TLS is used with mqtts://. If zero, the system's certificate authorities and the URL's host name.
	TLS *tls.Config

	// ConnectTimeout bounds dialing and the handshake until CONNACK. If zero, 5 s.
	ConnectTimeout time.Duration

	// KeepAlive is MQTT's, in whole seconds: after three quarters of it without a packet the broker is asked for a sign of life. The broker
	// may ask for another value in CONNACK. If zero, 60 s.
	KeepAlive time.Duration

	// PacketTimeout bounds the wait for SUBACK, UNSUBACK and PINGRESP. If zero, 5 s.
	PacketTimeout time.Duration

	// AckTimeout is how long a publish may wait for PUBACK or PUBCOMP before the connection counts as lost and the message is
	// sent again over a new one. If zero, 30 s.
	AckTimeout time.Duration

	// SessionExpiry is how long the broker keeps a device's session, and queues for it, after the device has gone. Sessions
	// then begin with Clean Start 0. If zero, the session ends with the device, and outlives only a lost connection to the broker.
	SessionExpiry time.Duration

	// MaxDials is how many connections are opened at once. If zero, 64.
	MaxDials int

	// ReceiveMaximum is how many messages of QoS 1 and 2 the broker may send without acknowledgement. If zero, 20.
	ReceiveMaximum uint16

	// MaxPacketSize is the largest packet, in bytes, that the broker may send. If zero, 4 MiB.
	MaxPacketSize uint32

	// ReconnectDelay is the shortest pause before a lost connection is opened again; it doubles up to 30 s, and up to its length
	// is added at random. If zero, 1 s.
	ReconnectDelay time.Duration

	// Logger gets what a person should know. If zero, slog.Default().
	Logger *slog.Logger

	// Metrics counts. If zero, a private unregistered set.
	Metrics *Metrics
}

func (cfg Config) withDefaults() Config {
	setDefault(&cfg.ConnectTimeout, 5*time.Second)
	setDefault(&cfg.KeepAlive, time.Minute)
	setDefault(&cfg.PacketTimeout, 5*time.Second)
	setDefault(&cfg.AckTimeout, 30*time.Second)
	setDefault(&cfg.MaxDials, 64)
	setDefault(&cfg.ReceiveMaximum, 20)
	setDefault(&cfg.MaxPacketSize, 4<<20)
	setDefault(&cfg.ReconnectDelay, time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	return cfg
}

func (cfg Config) hasNegative() bool {
	return min(cfg.ConnectTimeout, cfg.KeepAlive, cfg.PacketTimeout, cfg.AckTimeout, cfg.SessionExpiry, cfg.ReconnectDelay,
		time.Duration(cfg.MaxDials)) < 0
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// address is where a URL leads.
type address struct {
	hostPort string
	tls      *tls.Config // nil: no TLS
}

func parseURL(cfg Config) (address, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return address{}, fmt.Errorf("upstream.url is not a URL like mqtt://HOST:PORT")
	}
	switch {
	case u.User != nil:
		return address{}, fmt.Errorf("upstream.url: leave username and password out: each device has its own")
	case u.Hostname() == "" || (u.Path != "" && u.Path != "/"):
		return address{}, fmt.Errorf("upstream.url %q: want mqtt://HOST:PORT", cfg.URL)
	case u.Scheme == "mqtt" || u.Scheme == "tcp":
		return address{hostPort: withPort(u, "1883")}, nil
	case u.Scheme == "mqtts" || u.Scheme == "ssl":
		return address{hostPort: withPort(u, "8883"), tls: tlsFor(cfg.TLS, u.Hostname())}, nil
	}
	return address{}, fmt.Errorf("upstream.url %q: the scheme is neither mqtt nor mqtts", cfg.URL)
}

func withPort(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func tlsFor(cfg *tls.Config, host string) *tls.Config {
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg = cfg.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	return cfg
}
