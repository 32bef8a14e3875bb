package config

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Upstream is the MQTT broker: the one at URL, or the embedded one if URL is empty. All fields but Embedded are for a
// broker at URL; zero fields take the defaults of connectors/mqtt.
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

	State         string `koanf:"state" oneof:"local broker"`
	StateTopic    string `koanf:"state_topic"`
	StateFolder   string `koanf:"state_folder" path:"dir"`
	StateBytes    int    `koanf:"state_bytes" min:"1" max:"32768" unit:"bytes"`
	StateMaxBytes int    `koanf:"state_max_bytes" min:"1" unit:"bytes"`
}

// Embedded is the broker inside the gateway.
type Embedded struct {
	Bind       string `koanf:"bind"`
	AuthFile   string `koanf:"auth_file" path:"file"`
	MaxClients int    `koanf:"max_clients" min:"1"`
}

// UpstreamTLS says how the gateway verifies the broker and authenticates itself.
type UpstreamTLS struct {
	CA         string   `koanf:"ca" path:"file"`
	Cert       string   `koanf:"cert" path:"file"`
	Key        string   `koanf:"key" path:"file"`
	ServerName string   `koanf:"server_name"`
	ALPN       []string `koanf:"alpn"`
}

// Client returns all settings but ALPN.
func (t UpstreamTLS) Client() ClientTLS {
	return ClientTLS{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName}
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

// FirstURL returns the first server, or "" if the broker is the embedded one.
func (u Upstream) FirstURL() string {
	if !u.Elsewhere() {
		return ""
	}
	return u.URL[0]
}

// Shared is the setting session of devices that share connections to the broker.
const Shared = "shared"

// SharedSession reports whether the devices of a listener share connections to the broker.
func (c *Config) SharedSession(l Listener) bool {
	if l.Session != "" {
		return l.Session == Shared
	}
	return c.Upstream.Session == Shared
}

// HasShared reports whether the devices of a listener share connections, or those of modules' own listeners do by
// default.
func (c *Config) HasShared() bool {
	if c.Upstream.Session == Shared {
		return true
	}
	return slices.ContainsFunc(c.Names(), func(name string) bool { return c.SharedSession(c.Listeners[name]) })
}

// AllShared reports whether no device of the listeners has a connection of its own to the broker.
func (c *Config) AllShared() bool {
	return c.HasShared() && !slices.ContainsFunc(c.Names(),
		func(name string) bool { return !c.SharedSession(c.Listeners[name]) })
}

// secure reports whether a server is reached over TLS.
func secure(server string) bool {
	return strings.HasPrefix(server, "mqtts://") || strings.HasPrefix(server, "wss://")
}

// upstream checks the broker that devices are connected to.
func (r rules) upstream() {
	u := r.cfg.Upstream
	if _, said := r.cfg.said("upstream.url"); !said {
		r.address("upstream.embedded.bind", u.Embedded.Bind)
		r.authFile("upstream.embedded.auth_file", u.Embedded.AuthFile)
		r.onlyElsewhere()
		r.state(u)
		return
	}
	r.exclusive("upstream.embedded", "upstream.url")
	r.servers(u.URL)
	r.account(u)
	r.upstreamTLS("upstream.tls", u)
	r.seconds("upstream.keepalive", u.KeepAlive, math.MaxUint16)
	r.seconds("upstream.session_expiry", u.SessionExpiry, math.MaxUint32-1)
	r.seconds("upstream.message_expiry", u.MessageExpiry, math.MaxUint32)
	r.statuses(u)
	r.sharing(u)
	r.spool("upstream.spool", u.Spool)
	r.state(u)
}

// onlyElsewhere refuses settings that the embedded broker does not use.
func (r rules) onlyElsewhere() {
	for _, name := range schema.children["upstream"].names() {
		key := "upstream." + name
		if at, said := r.cfg.said(key); said && name != "embedded" &&
			!strings.HasPrefix(name, "state") && !r.broken(key) {
			r.problems.add(at, key, "applies only to a broker at upstream.url, not to the embedded one")
		}
	}
}

// servers checks the URLs of the broker.
func (r rules) servers(urls []string) {
	const key = "upstream.url"
	if len(urls) == 0 && !r.broken(key) {
		r.problem(key, "is an empty list: it must be %s", serverForms)
	}
	for i, text := range urls {
		at := r.cfg.origins.ofItem(key, i)
		switch wrong := notServer(text); {
		case wrong != "":
			r.problems.add(at, key, "%s", wrong)
		case slices.Contains(urls[:i], text):
			r.problems.add(at, key, "contains %s twice", text)
		}
	}
}

const serverForms = "like mqtt://host:1883, mqtts://host:8883, ws://host:8083/mqtt or wss://host:8084/mqtt"

// notServer returns why text is not the URL of a broker, or "" if it is one.
func notServer(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || !slices.Contains([]string{"mqtt", "mqtts", "ws", "wss"}, u.Scheme) || u.Hostname() == "" ||
		u.Fragment != "":
		return "must be " + serverForms + ", not " + quoted(redacted(text))
	case u.Port() != "" && !isPort(u.Port()):
		return "has the port " + u.Port() + ": the highest port is 65535"
	case u.User != nil:
		return "must not contain a user: devices log in with their own credentials, and upstream.username is " +
			"for the gateway"
	case strings.HasPrefix(u.Scheme, "mqtt") && (u.Path != "" && u.Path != "/" || u.RawQuery != ""):
		return "must end after the port: only ws:// and wss:// have a path"
	}
	return ""
}

// account checks the gateway's own credentials.
func (r rules) account(u Upstream) {
	if strings.ContainsFunc(u.Username, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		r.problem("upstream.username", "must not contain control characters")
	}
	r.tokenFile("upstream.password_file", u.PasswordFile)
	if u.PasswordFile != "" && u.Username == "" && !r.broken("upstream") {
		r.problem("upstream.password_file", "needs upstream.username")
	}
}

// upstreamTLS checks how the connections to the broker are secured.
func (r rules) upstreamTLS(key string, u Upstream) {
	r.clientTLS(key, u.TLS.Client())
	for i, protocol := range u.TLS.ALPN {
		if protocol == "" || len(protocol) > math.MaxUint8 {
			r.problems.add(r.cfg.origins.ofItem(key+".alpn", i), key+".alpn",
				"must contain names of 1 to 255 bytes, such as mqtt")
		}
	}
	at, said := r.cfg.said(key)
	if !said || r.broken(key) || r.broken("upstream.url") {
		return
	}
	if !slices.ContainsFunc(u.URL, secure) {
		r.problems.add(at, key, "needs mqtts:// or wss:// in upstream.url")
	} else if len(u.TLS.ALPN) > 0 && !slices.ContainsFunc(u.URL, func(server string) bool {
		return strings.HasPrefix(server, "mqtts://")
	}) {
		r.problem(key+".alpn", "needs mqtts:// in upstream.url: over wss://, ALPN negotiates HTTP")
	}
}

// seconds checks a duration that MQTT counts in whole seconds.
func (r rules) seconds(key string, d time.Duration, most int64) {
	switch {
	case d%time.Second != 0:
		r.problem(key, "must be whole seconds, not %s: MQTT counts them", d)
	case d > time.Duration(most)*time.Second:
		r.problem(key, "must be at most %s, not %s: MQTT allows no more", time.Duration(most)*time.Second, d)
	}
}

// spoolBytes is the default of max_bytes of the spool.
const spoolBytes = 1 << 30

// spool checks the settings of the spool.
func (r rules) spool(key string, s Spool) {
	at, said := r.cfg.said(key)
	if !said || r.broken(key) {
		return
	}
	if s.Folder == "" {
		r.problems.add(at, key, "needs folder, where messages wait for the broker")
		return
	}
	r.noFile(key+".folder", s.Folder)
	if s.MaxBytesPerDevice > cmp.Or(s.MaxBytes, spoolBytes) {
		r.problem(key+".max_bytes_per_device", "is above max_bytes")
	}
}

// sharing checks the settings for devices that share connections.
func (r rules) sharing(u Upstream) {
	for _, name := range []string{"connections", "control_topic", "authentication"} {
		key := "upstream." + name
		// A module that comes later may have a listener of its own with session: shared.
		if at, said := r.cfg.said(key); said && !r.cfg.HasShared() && r.cfg.Modules == "" &&
			!r.broken("upstream.session") {
			r.problems.add(at, key, "needs session: shared, which neither upstream.session nor any listener sets")
		}
	}
	if u.ControlTopic != "" {
		if err := gatewayTopic(u.ControlTopic); err != nil {
			r.problem("upstream.control_topic", "%v", err)
		} else if strings.Contains(u.ControlTopic, "${") {
			r.problem("upstream.control_topic", "must be the same for all gateways, without ${node}")
		}
	}
	if r.cfg.Said("upstream.authentication") {
		r.authentication("upstream.authentication", u.Authentication)
	}
}

// DeviceStatus publishes which devices are connected. If nil, QoS is 1 and Retain is true.
type DeviceStatus struct {
	Topic   string `koanf:"topic"`
	Online  string `koanf:"online"`
	Offline string `koanf:"offline"`
	QoS     *int   `koanf:"qos" max:"2"`
	Retain  *bool  `koanf:"retain"`
}

// GatewayStatus publishes, as a retained message, whether the gateway is connected.
type GatewayStatus struct {
	Topic   string `koanf:"topic"`
	Online  string `koanf:"online"`
	Offline string `koanf:"offline"`
}

// statuses checks the topics for the status of devices and of the gateway.
func (r rules) statuses(u Upstream) {
	const device, own = "upstream.device_status", "upstream.gateway_status"
	if r.hasTopic(device, u.DeviceStatus.Topic, "devices/${clientid}/status") {
		if err := topicName(u.DeviceStatus.Topic); err != nil {
			r.problem(device+".topic", "%v", err)
		}
		r.moduleOfAll(device+".topic", u.DeviceStatus.Topic)
		r.formerly(r.cfg.origins.of(device+".topic"), device+".topic", u.DeviceStatus.Topic)
	}
	if r.hasTopic(own, u.GatewayStatus.Topic, "exgate/${node}/status") {
		if err := gatewayTopic(u.GatewayStatus.Topic); err != nil {
			r.problem(own+".topic", "%v", err)
		}
	}
}

// hasTopic requires a topic if the section key is present, and reports whether there is one to check.
func (r rules) hasTopic(key, topic, example string) bool {
	at, said := r.cfg.said(key)
	if !said || r.broken(key) {
		return false
	}
	if topic == "" {
		r.problems.add(at, key, "needs topic, such as %s", example)
	}
	return topic != ""
}
