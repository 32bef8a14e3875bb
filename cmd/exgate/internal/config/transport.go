package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/exgate/exgate/runtime/listener/dial"
	"github.com/exgate/exgate/runtime/listener/ws"
)

// Proxy configures the PROXY protocol, in which load balancers say where a connection comes from.
type Proxy struct {
	Trusted []string      `koanf:"trusted"`
	Timeout time.Duration `koanf:"timeout"`
}

// Socket holds options of the listening socket and of those it accepts. Zero fields take the system's defaults.
type Socket struct {
	Backlog    int           `koanf:"backlog" min:"1"`
	RecvBuffer int           `koanf:"recv_buffer" min:"1" max:"2147483647" unit:"bytes"`
	SendBuffer int           `koanf:"send_buffer" min:"1" max:"2147483647" unit:"bytes"`
	NoDelay    *bool         `koanf:"nodelay"`
	KeepAlive  time.Duration `koanf:"keepalive"`
	ReusePort  bool          `koanf:"reuse_port"`
}

// WebSocket configures a ws or wss listener. Zero fields take the defaults of [ws.Config].
type WebSocket struct {
	Path            string        `koanf:"path"`
	Subprotocols    []string      `koanf:"subprotocols"`
	Headers         []string      `koanf:"headers"`
	Origins         []string      `koanf:"origins"`
	Send            string        `koanf:"send" oneof:"same text binary"`
	MaxMessageBytes int           `koanf:"max_message_bytes" min:"1" max:"1073741824" unit:"bytes"`
	PingInterval    time.Duration `koanf:"ping_interval"`
	RequestTimeout  time.Duration `koanf:"request_timeout"`
}

// Room returns w in the type of the listener's room.
func (w WebSocket) Room() ws.Config {
	return ws.Config{
		Path: w.Path, Subprotocols: w.Subprotocols, Headers: w.Headers, Origins: w.Origins, Send: w.Send,
		MaxMessageBytes: w.MaxMessageBytes, PingInterval: w.PingInterval, RequestTimeout: w.RequestTimeout,
	}
}

// UDP bounds the peers of a udp or dtls listener.
type UDP struct {
	MaxPeers          int `koanf:"max_peers" min:"1"`
	NewPeersPerSecond int `koanf:"new_peers_per_second" min:"1"`
	Queue             int `koanf:"queue" min:"1"`
}

// Prefixes are the addresses of the load balancers.
func (p Proxy) Prefixes() []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(p.Trusted))
	for _, text := range p.Trusted {
		if prefix, err := parsePrefix(text); err == nil {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// parsePrefix reads a network such as 10.0.0.0/8, or one address.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}

// streams are the types that accept connections over TCP.
var streams = []string{"tcp", "tls", "ws", "wss"}

// accepting are the types that devices connect to.
var accepting = slices.Concat(streams, []string{"udp", "dtls"})

// fits lists the settings that only some types of listeners have.
var fits = []struct {
	setting string
	types   []string
}{
	{"ban", accepting},
	{"bind", accepting},
	{"connection_rate", accepting},
	{"dial", []string{"dial"}},
	{"limits.max_event_bytes", []string{"tcp", "tls", "udp", "dtls", "dial"}}, // a message is one event
	{"max_connections_per_source", accepting},
	{"proxy_protocol", streams},
	{"socket.backlog", streams},
	{"socket.keepalive", slices.Concat(streams, []string{"dial"})},
	{"socket.nodelay", slices.Concat(streams, []string{"dial"})},
	{"socket.reuse_port", streams},
	{"tls", []string{"tls", "wss", "dtls"}},
	{"tls.connection_ids", []string{"dtls"}},
	{"tls.max_version", []string{"tls", "wss"}},
	{"tls.min_version", []string{"tls", "wss"}},
	{"udp", []string{"udp", "dtls"}},
	{"websocket", []string{"ws", "wss"}},
}

// Settings that have no meaning for a unix socket; those in bySource have one if load balancers name the source in the
// PROXY protocol.
var (
	notUnix  = []string{"socket.keepalive", "socket.nodelay", "socket.reuse_port"}
	bySource = []string{"access", "ban", "max_connections_per_source"}
)

// transport checks the settings that depend on the type of a listener.
func (r rules) transport(key string, l Listener) {
	if r.broken(key + ".type") {
		return
	}
	r.fitting(key, l)
	switch l.Kind() {
	case "tls", "wss":
		r.certificate(key, l.TLS)
		r.ciphers(key, l)
	case "dtls":
		r.secured(key, l)
		r.ciphers(key, l)
	}
	r.proxy(key+".proxy_protocol", l)
	r.webSocket(key+".websocket", l)
}

// webSocket checks what the listener's room refuses.
func (r rules) webSocket(key string, l Listener) {
	if r.broken(key) {
		return
	}
	if err := l.WebSocket.Room().Check(); err != nil {
		r.problem(key, "%v", err)
	}
}

// fitting refuses the settings of other types.
func (r rules) fitting(key string, l Listener) {
	var refused []string
	for _, f := range fits {
		around := slices.ContainsFunc(refused, func(section string) bool {
			return strings.HasPrefix(f.setting, section+".")
		})
		inner := key + "." + f.setting
		if at, ok := r.cfg.said(inner); ok && !around && !slices.Contains(f.types, l.Kind()) {
			r.problems.add(at, inner, "does not fit a %s listener: it needs type: %s", l.Kind(), either(f.types))
			refused = append(refused, f.setting)
		}
	}
	if at, ok := r.cfg.said(key + ".psk"); ok && l.Kind() != "dtls" {
		r.problems.add(at, key+".psk", "%s", noPSK(l.Kind()))
	}
	if l.Unix() {
		r.fittingUnix(key, l)
	}
}

// fittingUnix refuses settings that a unix socket does not have.
func (r rules) fittingUnix(key string, l Listener) {
	if l.Kind() != "tcp" {
		r.problem(key+".bind", "a unix socket needs type: tcp, not %s", l.Kind())
		return
	}
	names := notUnix
	if _, proxied := r.cfg.said(key + ".proxy_protocol"); !proxied {
		names = slices.Concat(notUnix, bySource)
	}
	for _, name := range names {
		if at, ok := r.cfg.said(key + "." + name); ok {
			r.problems.add(at, key+"."+name, "does not fit a unix socket, whose peers have no address")
		}
	}
}

func noPSK(kind string) string {
	if kind == "tls" || kind == "wss" {
		return "crypto/tls has no pre-shared keys: use type: dtls, or a certificate"
	}
	return "does not fit a " + kind + " listener: it needs type: dtls"
}

// secured checks that a dtls listener has a certificate, or keys shared with devices.
func (r rules) secured(key string, l Listener) {
	_, tls := r.cfg.said(key + ".tls")
	_, psk := r.cfg.said(key + ".psk")
	switch {
	case !tls && !psk:
		if !r.broken(key) {
			r.problems.add(r.cfg.origins.of(key+".type"), key,
				"needs tls.cert and tls.key, or psk.file, the keys shared with devices")
		}
		return
	case tls && (l.TLS.Cert != "" || l.TLS.Key != "" || !psk):
		r.certificate(key, l.TLS)
	}
	if psk {
		r.keys(key+".psk", l.PSK)
	}
}

// proxy checks which load balancers may say where a connection comes from.
func (r rules) proxy(key string, l Listener) {
	at, said := r.cfg.said(key)
	if !said || r.broken(key) {
		return
	}
	if len(l.Proxy.Trusted) == 0 && !l.Unix() {
		r.problems.add(at, key, "needs trusted, the addresses of the load balancers, such as [10.0.0.0/8]")
	}
	for i, text := range l.Proxy.Trusted {
		if _, err := parsePrefix(text); err != nil {
			where := r.cfg.origins.ofItem(key+".trusted", i)
			r.problems.add(where, key+".trusted", "must contain addresses such as 192.0.2.7 or 10.0.0.0/8, not %s",
				quoted(text))
		}
	}
}

// Dial configures a dial listener, which connects to devices that are servers. Zero fields take the defaults of
// [dial.Config].
type Dial struct {
	Targets        []string      `koanf:"targets"`
	File           string        `koanf:"file" path:"file"`
	ConnectTimeout time.Duration `koanf:"connect_timeout"`
	MaxDialing     int           `koanf:"max_dialing" min:"1" max:"65536"`
	MinPause       time.Duration `koanf:"min_pause"`
	MaxPause       time.Duration `koanf:"max_pause"`
	TLS            DialTLS       `koanf:"tls"`
}

// DialTLS says how targets at tls:// are verified, and how the gateway authenticates itself to them.
type DialTLS struct {
	CA                 string `koanf:"ca" path:"file"`
	Cert               string `koanf:"cert" path:"file"`
	Key                string `koanf:"key" path:"file"`
	ServerName         string `koanf:"server_name"`
	InsecureSkipVerify bool   `koanf:"insecure_skip_verify"`
}

// Client returns the settings that every client has.
func (t DialTLS) Client() ClientTLS {
	return ClientTLS{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName}
}

// Dials reports whether the listener connects to devices, instead of accepting connections of devices.
func (l Listener) Dials() bool { return l.Type == "dial" }

// List returns the targets.
func (d Dial) List() (dial.List, error) {
	if d.File == "" {
		return dial.Parse(d.Targets), nil
	}
	file, err := dial.LoadFile(d.File)
	if err != nil {
		return dial.List{}, err
	}
	return file.List(), nil
}

// count is the number of targets, or 0 if they cannot be read.
func (d Dial) count() int {
	list, _ := d.List()
	return len(list.Targets)
}

// dial checks the targets of the listener key. A wrong line of a file is a warning: the gateway starts without it, as
// it goes on without it when the file changes.
func (r rules) dial(key string, l Listener) {
	d, section := l.Dial, key+".dial"
	r.exclusive(section+".targets", section+".file")
	r.clientTLS(section+".tls", d.TLS.Client())
	if at, ok := r.cfg.said(section + ".tls.insecure_skip_verify"); ok && d.TLS.InsecureSkipVerify {
		r.warn(at, section+".tls.insecure_skip_verify", "the certificates of targets are not verified: anybody on "+
			"the way can answer for a device")
	}
	if d.MinPause > 0 && d.MaxPause > 0 && d.MinPause > d.MaxPause {
		r.problem(section+".max_pause", "is below min_pause")
	}
	r.file(section+".file", d.File)
	if r.broken(section) {
		return
	}
	if len(d.Targets) == 0 && d.File == "" {
		if !r.broken(key) {
			r.problem(key, "needs dial.targets, a list such as [meter-1 192.0.2.7:502], or dial.file, which has one "+
				"a line")
		}
		return
	}
	list, err := d.List()
	switch {
	case err != nil:
		r.problem(section+".file", "%v", err)
	case d.File != "" && len(list.Targets) == 0 && len(list.Wrong) > 0:
		r.problem(section+".file", "no line is right: %v", list.Wrong[0])
	case d.File != "":
		at := r.cfg.origins.of(section + ".file")
		for _, wrong := range list.Wrong[:min(len(list.Wrong), maxWrongLines)] {
			r.warn(at, section+".file", "%v", wrong)
		}
		if more := len(list.Wrong) - maxWrongLines; more > 0 {
			r.warn(at, section+".file", "%d more lines are wrong", more)
		}
	default:
		for _, wrong := range list.Wrong {
			r.problems.add(r.cfg.origins.ofItem(section+".targets", wrong.Line-1), section+".targets", "%s: %v",
				quoted(d.Targets[wrong.Line-1]), wrong.Err)
		}
	}
}

// maxWrongLines bounds the wrong lines of one file that are reported.
const maxWrongLines = 20
