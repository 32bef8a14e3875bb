package config

import (
	"slices"
	"strings"
	"time"
)

// Upstream is the MQTT broker: that at URL, or the embedded one where URL is empty. All but Embedded is for a broker at URL. If zero, a field is the
// default of connectors/mqtt.
type Upstream struct {
	Embedded Embedded `koanf:"embedded"`

	URL          []string    `koanf:"url" single:"true"`
	Session      string      `koanf:"session" oneof:"device shared"`
	Connections  int         `koanf:"connections" min:"1" max:"1024"`
	ControlTopic string      `koanf:"control_topic"`
	Username     string      `koanf:"username"`
	PasswordFile string      `koanf:"password_file" path:"file"`
	TLS          UpstreamTLS `koanf:"tls"`

	ConnectTimeout time.Duration `koanf:"connect_timeout"`
	PacketTimeout  time.Duration `koanf:"packet_timeout"`
	AckTimeout     time.Duration `koanf:"ack_timeout"`
	KeepAlive      time.Duration `koanf:"keepalive"`
	SessionExpiry  time.Duration `koanf:"session_expiry"`
	CleanStart     *bool         `koanf:"clean_start"`
	ReceiveMaximum int           `koanf:"receive_maximum" min:"1" max:"65535"`
	MaxPacketSize  int           `koanf:"max_packet_size" min:"1024" max:"268435460" unit:"bytes"`
	MaxDials       int           `koanf:"max_dials" min:"1"`
	ReconnectDelay time.Duration `koanf:"reconnect_delay"`

	MessageExpiry  time.Duration  `koanf:"message_expiry"`
	UserProperties bool           `koanf:"user_properties"`
	DeviceStatus   DeviceStatus   `koanf:"device_status"`
	GatewayStatus  GatewayStatus  `koanf:"gateway_status"`
	Authentication Authentication `koanf:"authentication"`
	Spool          Spool          `koanf:"spool"`
}

// Embedded is the broker inside the gateway.
type Embedded struct {
	Bind       string `koanf:"bind"`
	AuthFile   string `koanf:"auth_file" path:"file"`
	MaxClients int    `koanf:"max_clients" min:"1"`
}

// UpstreamTLS is how the gateway proves the broker, and itself to the broker.
type UpstreamTLS struct {
	CA         string   `koanf:"ca" path:"file"`
	Cert       string   `koanf:"cert" path:"file"`
	Key        string   `koanf:"key" path:"file"`
	ServerName string   `koanf:"server_name"`
	ALPN       []string `koanf:"alpn"`
}

// Client is all but ALPN.
func (t UpstreamTLS) Client() ClientTLS {
	return ClientTLS{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName}
}

// DeviceStatus says at the broker which devices are connected. If QoS is nil, 1; if Retain is, true.
type DeviceStatus struct {
	Topic   string `koanf:"topic"`
	Online  string `koanf:"online"`
	Offline string `koanf:"offline"`
	QoS     *int   `koanf:"qos" max:"2"`
	Retain  *bool  `koanf:"retain"`
}

// GatewayStatus says at the broker, in a retained message, whether the gateway is connected.
type GatewayStatus struct {
	Topic   string `koanf:"topic"`
	Online  string `koanf:"online"`
	Offline string `koanf:"offline"`
}

// Spool is where publishes of QoS 1 and 2 wait for the broker.
type Spool struct {
	Folder            string        `koanf:"folder" path:"dir"`
	MaxBytes          int           `koanf:"max_bytes" min:"1" unit:"bytes"`
	MaxBytesPerDevice int           `koanf:"max_bytes_per_device" min:"1" unit:"bytes"`
	MaxAge            time.Duration `koanf:"max_age"`
	WhenFull          string        `koanf:"when_full" oneof:"reject drop_oldest"`
	DrainRate         int           `koanf:"drain_rate" min:"1"`
}

// Elsewhere reports whether the broker is not the embedded one.
func (u Upstream) Elsewhere() bool { return len(u.URL) > 0 }

// FirstURL is the first server, or nothing where the broker is the embedded one.
func (u Upstream) FirstURL() string {
	if !u.Elsewhere() {
		return ""
	}
	return u.URL[0]
}

// Shared is the session of devices that share connections to the broker.
const Shared = "shared"

// SharedSession reports whether the devices of a listener share connections to the broker.
func (c *Config) SharedSession(l Listener) bool {
	if l.Session != "" {
		return l.Session == Shared
	}
	return c.Upstream.Session == Shared
}

// HasShared reports whether connections are shared by the devices of a listener, or by those of modules' own listeners that do not say otherwise.
func (c *Config) HasShared() bool {
	if c.Upstream.Session == Shared {
		return true
	}
	return slices.ContainsFunc(c.Names(), func(name string) bool { return c.SharedSession(c.Listeners[name]) })
}

// AllShared reports whether no device of the listeners has a connection of its own to the broker.
func (c *Config) AllShared() bool {
	return c.HasShared() && !slices.ContainsFunc(c.Names(), func(name string) bool { return !c.SharedSession(c.Listeners[name]) })
}

// secure reports whether a server is reached over TLS.
func secure(server string) bool {
	return strings.HasPrefix(server, "mqtts://") || strings.HasPrefix(server, "wss://")
}
