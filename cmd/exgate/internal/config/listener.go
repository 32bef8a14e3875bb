package config

import (
	"cmp"
	"net"
	"path/filepath"
	"slices"
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

// Limits bounds one connection of a listener. Zero fields take the values of [gateway.DefaultLimits].
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

// unixPrefix begins the bind of a unix socket.
const unixPrefix = "unix:"

// Kind returns the transport: tcp by default.
func (l Listener) Kind() string {
	if l.Type == "" {
		return "tcp"
	}
	return l.Type
}

// Unix reports whether the listener's socket is a unix socket.
func (l Listener) Unix() bool { return strings.HasPrefix(l.Bind, unixPrefix) }

// Proxied reports whether the listener called name expects the PROXY protocol from load balancers.
func (c *Config) Proxied(name string) bool { return c.Said("listeners." + name + ".proxy_protocol") }

// MostConnections returns how many connections with a file descriptor the listeners may have at once, or 0 if that is
// unlimited.
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

// Datagram reports whether the transport carries datagrams.
func (l Listener) Datagram() bool { return l.Type == "udp" || l.Type == "dtls" }

// Gateway returns the limits in the gateway's type.
func (l Listener) Gateway() gateway.Limits {
	of := l.Limits
	return gateway.Limits{
		IdleTimeout: l.IdleTimeout, SendQueueBytes: of.SendQueue, SendTimeout: of.SendTimeout,
		InboxMessages: of.InboxMessages, InboxBytes: of.InboxBytes, MaxEventBytes: of.MaxEventBytes,
		PublishWindow: of.PublishWindow, PublishWindowBytes: of.PublishWindowBytes, MaxCalls: of.MaxCalls,
		AuthTimeout: of.AuthTimeout, AuthDeadline: of.AuthDeadline, CloseTimeout: of.CloseTimeout,
		LingerTimeout: of.LingerTimeout, BytesPerSecond: of.BytesPerSecond, BytesBurst: of.BytesBurst,
		MessagesPerSecond: float64(of.MessagesPerSecond), MessagesBurst: float64(of.MessagesBurst),
		PublishesPerSecond: float64(of.PublishesPerSecond), PublishesBurst: float64(of.PublishesBurst),
	}
}

func (r rules) listener(key string, l Listener) {
	broken := r.broken(key) // then a misspelt setting is not also reported as missing
	if !broken && r.unknownListener(key, l) {
		return
	}
	r.socket(key, l)
	if l.Session == Shared && !r.cfg.Upstream.Elsewhere() && !r.broken("upstream.url") {
		r.problem(key+".session", "shared needs upstream.url: with the embedded broker there are no "+
			"connections to share")
	}
	if l.Handler.Module == "" && l.Handler.Wasm == "" && len(l.Handler.GRPC) == 0 {
		if !broken {
			r.problem(key, "needs handler.wasm, the path of a module, handler.module, the name of one in the "+
				"folder modules, "+
				"or handler.grpc, the host:port of a handler service")
		}
		return
	}
	r.handler(key+".handler", l.Handler)
}

// unknownListener refuses a listener that is not in the file and that variables and flags do not configure completely:
// its name is probably misspelt.
func (r rules) unknownListener(key string, l Listener) bool {
	at, said := r.cfg.said(key)
	complete := l.Bind != "" && (l.Handler.Module != "" || l.Handler.Wasm != "" || len(l.Handler.GRPC) > 0)
	if !said || at.order < orderEnvironment || complete {
		return false
	}
	name := strings.TrimPrefix(key, "listeners.")
	others := slices.DeleteFunc(r.cfg.Names(), func(other string) bool {
		at, said := r.cfg.said("listeners." + other)
		return said && at.order >= orderEnvironment
	})
	if len(others) == 0 {
		return false
	}
	if near := nearest(name, others); near != "" {
		r.problems.add(at, key, "no listener of the file has this name, did you mean %q? A new one needs "+
			"bind and handler", near)
	} else {
		r.problems.add(at, key, "no listener of the file has this name: it has %s. A new one needs bind and handler",
			cut(strings.Join(others, ", ")))
	}
	return true
}

// socket checks everything in a listener but its handler.
func (r rules) socket(key string, l Listener) {
	broken := r.broken(key)
	switch {
	case l.Unix():
		r.unixPath(key+".bind", l.Bind)
	case l.Bind != "":
		r.address(key+".bind", l.Bind)
	case !broken:
		r.problem(key, "needs bind, the address that devices connect to, such as :7993")
	}
	r.transport(key, l)
	r.admission(key, l)
	r.taps(key, l)
	r.topics(key, l)
}

// socket is an address to listen on.
type socket struct {
	network   string // tcp or udp: one port can be both
	key, bind string
}

// sockets returns all addresses to listen on, those of listeners last.
func (c *Config) sockets() []socket {
	var all []socket
	if !c.Upstream.Elsewhere() {
		all = append(all, socket{"tcp", "upstream.embedded.bind", c.Upstream.Embedded.Bind})
	}
	if c.HasGRPC() {
		all = append(all, socket{"tcp", "adapter.bind", c.Adapter.Bind})
	}
	if c.Metrics.Bind != "" {
		all = append(all, socket{"tcp", "metrics.bind", c.Metrics.Bind})
	}
	for _, name := range c.Names() {
		l, network := c.Listeners[name], "tcp"
		if l.Datagram() {
			network = "udp"
		}
		all = append(all, socket{network, "listeners." + name + ".bind", l.Bind})
	}
	return all
}

// binds refuses two sockets with the same address.
func (r rules) binds() {
	ports := make(map[string]*boundPort)
	for _, s := range r.cfg.sockets() {
		port, host := s.place()
		if port == "" {
			continue
		}
		p := ports[port]
		if p == nil {
			p = &boundPort{hosts: make(map[string]string)}
			ports[port] = p
		}
		if earlier := p.take(host, s.key); earlier != "" {
			at := r.cfg.origins.of(earlier)
			r.problem(s.key, "%s is taken by %s (%s)", s.bind, earlier, at.where)
		}
	}
}

// place returns what no two sockets can share: the port with its network, and the host; or a path. The port is empty if
// nothing can collide with it.
func (s socket) place() (port, host string) {
	if strings.HasPrefix(s.bind, unixPrefix) {
		return s.bind, ""
	}
	host, port, err := net.SplitHostPort(s.bind)
	if err != nil || port == "0" {
		return "", ""
	}
	if everyAddress(host) {
		host = ""
	}
	return s.network + ":" + port, host
}

// boundPort holds the settings that bind one port.
type boundPort struct {
	any   string            // the first setting
	every string            // the first one that binds every address
	hosts map[string]string // the first one of each host
}

// take binds host for the setting key, and returns the setting that it collides with, or "".
func (p *boundPort) take(host, key string) (earlier string) {
	if host == "" {
		earlier, p.every = p.any, cmp.Or(p.every, key)
	} else {
		earlier = cmp.Or(p.hosts[host], p.every)
		p.hosts[host] = cmp.Or(p.hosts[host], key)
	}
	p.any = cmp.Or(p.any, key)
	return earlier
}

func everyAddress(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// longestUnixPath is the longest path of a unix socket that every system allows, in bytes.
const longestUnixPath = 103

// unixPath checks the path of a unix socket.
func (r rules) unixPath(key, bind string) {
	path := strings.TrimPrefix(bind, unixPrefix)
	switch {
	case !filepath.IsAbs(path):
		r.problem(key, "must be unix: and an absolute path, not %s", quoted(bind))
	case len(path) > longestUnixPath:
		r.problem(key, "is a path of %d bytes: a socket's may have %d", len(path), longestUnixPath)
	}
}
