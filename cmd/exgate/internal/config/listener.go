package config

import (
	"strings"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Listener is a socket that devices connect to.
type Listener struct {
	Type        string        `koanf:"type" oneof:"tcp tls udp dtls"`
	Bind        string        `koanf:"bind"`
	Handler     Handler       `koanf:"handler"`
	Session     string        `koanf:"session" oneof:"device shared"`
	IdleTimeout time.Duration `koanf:"idle_timeout"`
	Limits      Limits        `koanf:"limits"`

	Mountpoint      string   `koanf:"mountpoint"`
	PublishTopics   []string `koanf:"publish_topics"`
	SubscribeTopics []string `koanf:"subscribe_topics"`

	TLS    TLS    `koanf:"tls"`
	PSK    PSK    `koanf:"psk"`
	Proxy  Proxy  `koanf:"proxy_protocol"`
	Socket Socket `koanf:"socket"`
	UDP    UDP    `koanf:"udp"`

	Capture Capture `koanf:"capture"`

	Access                  Access `koanf:"access"`
	Ban                     Ban    `koanf:"ban"`
	MaxConnections          int    `koanf:"max_connections" min:"1"`
	MaxConnectionsPerSource int    `koanf:"max_connections_per_source" min:"1"`
	ConnectionRate          int    `koanf:"connection_rate" min:"1"`
	ConnectionBurst         int    `koanf:"connection_burst" min:"1"`
	BytesPerSecond          int    `koanf:"listener_bytes_per_second" min:"1" unit:"bytes"`
	MessagesPerSecond       int    `koanf:"listener_messages_per_second" min:"1"`
}

// Limits bounds one connection of a listener. If zero, a field is that of [gateway.DefaultLimits].
type Limits struct {
	SendQueue          int           `koanf:"send_queue_bytes" min:"1" unit:"bytes"`
	SendTimeout        time.Duration `koanf:"send_timeout"`
	InboxMessages      int           `koanf:"inbox_messages" min:"1"`
	InboxBytes         int           `koanf:"inbox_bytes" min:"1" unit:"bytes"`
	PublishWindow      int           `koanf:"publish_window" min:"1"`
	PublishWindowBytes int           `koanf:"publish_window_bytes" min:"1" unit:"bytes"`
	MaxCalls           int           `koanf:"max_calls" min:"1"`
	MaxEventBytes      int           `koanf:"max_event_bytes" min:"1" unit:"bytes"`
	AuthTimeout        time.Duration `koanf:"auth_timeout"`
	AuthDeadline       time.Duration `koanf:"auth_deadline"`
	CloseTimeout       time.Duration `koanf:"close_timeout"`
	LingerTimeout      time.Duration `koanf:"linger_timeout"`

	BytesPerSecond     int `koanf:"bytes_per_second" min:"1" unit:"bytes"`
	BytesBurst         int `koanf:"bytes_burst" min:"1" unit:"bytes"`
	MessagesPerSecond  int `koanf:"messages_per_second" min:"1"`
	MessagesBurst      int `koanf:"messages_burst" min:"1"`
	PublishesPerSecond int `koanf:"publishes_per_second" min:"1"`
	PublishesBurst     int `koanf:"publishes_burst" min:"1"`
}

// unixPrefix begins the bind of a socket in the file system.
const unixPrefix = "unix:"

// Kind is the transport: tcp where nothing is said.
func (l Listener) Kind() string {
	if l.Type == "" {
		return "tcp"
	}
	return l.Type
}

// Unix reports whether the listener's socket is in the file system.
func (l Listener) Unix() bool { return strings.HasPrefix(l.Bind, unixPrefix) }

// Proxied reports whether load balancers say in the PROXY protocol whom they connect to the listener name.
func (c *Config) Proxied(name string) bool { return c.Said("listeners." + name + ".proxy_protocol") }

// MostConnections is how many connections with a file descriptor the listeners may have at once, or 0 where one of them has no bound.
func (c *Config) MostConnections() int {
	sum := 0
	for _, l := range c.Listeners {
		switch {
		case l.Datagram():
		case l.MaxConnections == 0:
			return c.MaxConnections
		default:
			sum += l.MaxConnections
		}
	}
	if c.MaxConnections > 0 {
		return min(sum, c.MaxConnections)
	}
	return sum
}

// Datagram reports whether the transport keeps the boundaries of what is sent.
func (l Listener) Datagram() bool { return l.Type == "udp" || l.Type == "dtls" }

// Gateway returns the limits in the gateway's own form.
func (l Listener) Gateway() gateway.Limits {
	of := l.Limits
	return gateway.Limits{
		IdleTimeout: l.IdleTimeout, SendQueueBytes: of.SendQueue, SendTimeout: of.SendTimeout,
		InboxMessages: of.InboxMessages, InboxBytes: of.InboxBytes, MaxEventBytes: of.MaxEventBytes,
		PublishWindow: of.PublishWindow, PublishWindowBytes: of.PublishWindowBytes, MaxCalls: of.MaxCalls,
		AuthTimeout: of.AuthTimeout, AuthDeadline: of.AuthDeadline, CloseTimeout: of.CloseTimeout, LingerTimeout: of.LingerTimeout,
		BytesPerSecond: of.BytesPerSecond, BytesBurst: of.BytesBurst,
		MessagesPerSecond: float64(of.MessagesPerSecond), MessagesBurst: float64(of.MessagesBurst),
		PublishesPerSecond: float64(of.PublishesPerSecond), PublishesBurst: float64(of.PublishesBurst),
	}
}
