package config

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// Listener is a socket that devices connect to, or, if it dials, a list of devices that it connects to.
type Listener struct {
	Type        string        `koanf:"type" oneof:"tcp tls ws wss udp dtls dial"`
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

	WebSocket WebSocket `koanf:"websocket"`
	Dial      Dial      `koanf:"dial"`

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
		case l.MaxConnections == 0 && l.Dials():
			sum += l.Dial.count()
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
	if !l.Handler.There() {
		if !broken {
			r.problem(key, "needs handler.wasm, the path of a module, handler.script, the path of a script in "+
				"JavaScript, handler.module, the name of one in the folder modules, "+
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
	complete := (l.Bind != "" || l.Dials()) && l.Handler.There()
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
		r.problems.add(at, key, "no listener in the file has this name, did you mean %q? A new one needs "+
			"bind and handler", near)
	} else {
		r.problems.add(at, key, "no listener in the file has this name: it has %s. A new one needs bind and handler",
			cut(strings.Join(others, ", ")))
	}
	return true
}

// socket checks everything in a listener but its handler.
func (r rules) socket(key string, l Listener) {
	broken := r.broken(key)
	switch {
	case l.Dials():
		r.dial(key, l)
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

// longestUnixPath is the longest path of a unix socket that every system allows, in bytes.
const longestUnixPath = 103

// unixPath checks the path of a unix socket.
func (r rules) unixPath(key, bind string) {
	path := strings.TrimPrefix(bind, unixPrefix)
	switch {
	case !filepath.IsAbs(path):
		r.problem(key, "must be unix: and an absolute path, not %s", quoted(bind))
	case len(path) > longestUnixPath:
		r.problem(key, "is %d bytes long: the path of a socket may have %d", len(path), longestUnixPath)
	}
}

// Access says which addresses may connect.
type Access struct {
	Rules []string `koanf:"rules"`
	File  string   `koanf:"file" path:"file"`
}

// Ban refuses, for a time, sources that keep failing.
type Ban struct {
	Failures int           `koanf:"failures" min:"1" max:"100"`
	Window   time.Duration `koanf:"window"`
	Duration time.Duration `koanf:"duration"`
}

// admission checks which devices may connect, and how often.
func (r rules) admission(key string, l Listener) {
	r.access(key+".access", l.Access)
	if at, ok := r.cfg.said(key + ".ban"); ok && l.Ban.Failures == 0 && !r.broken(key+".ban") {
		r.problems.add(at, key+".ban", "needs failures, the number after which a source is refused")
	}
	r.burst(key+".connection_burst", l.ConnectionBurst, "connection_rate", l.ConnectionRate)
	limits := key + ".limits."
	r.burst(limits+"bytes_burst", l.Limits.BytesBurst, "bytes_per_second", l.Limits.BytesPerSecond)
	r.burst(limits+"messages_burst", l.Limits.MessagesBurst, "messages_per_second", l.Limits.MessagesPerSecond)
	r.burst(limits+"publishes_burst", l.Limits.PublishesBurst, "publishes_per_second", l.Limits.PublishesPerSecond)
}

// burst refuses a burst without its rate.
func (r rules) burst(key string, burst int, name string, rate int) {
	if burst != 0 && rate == 0 {
		r.problem(key, "needs %s", name)
	}
}

// access checks the rules for addresses that may connect.
func (r rules) access(key string, a Access) {
	r.exclusive(key+".rules", key+".file")
	for i, rule := range a.Rules {
		if _, err := admission.ParseAccess([]string{rule}); err != nil {
			r.problems.add(r.cfg.origins.ofItem(key+".rules", i), key+".rules", "%s: %v", quoted(rule),
				errors.Unwrap(err))
		}
	}
	r.file(key+".file", a.File)
	if a.File == "" || r.broken(key+".file") {
		return
	}
	if _, err := admission.LoadAccess(a.File, nil); err != nil {
		r.problem(key+".file", "%v", err)
	}
}
