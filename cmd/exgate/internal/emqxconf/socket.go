package emqxconf

import (
	"strings"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// socketRules holds the options of TCP and UDP sockets, which are in the listener in 4.x, and in tcp_options and
// udp_options in 5.x.
var socketRules = rules{
	"active_n":     ignored("exgate reads a socket when its handler is ready, not in batches"),
	"backlog":      streamOnly(count("socket.backlog")),
	"send_timeout": streamOnly(duration("limits.send_timeout")),
	"send_timeout_close": streamOnly(wanted(true,
		"exgate always closes a device that accepts nothing for limits.send_timeout")),
	"recbuf":         size("socket.recv_buffer"),
	"sndbuf":         size("socket.send_buffer"),
	"buffer":         ignored("a buffer of Erlang; exgate has no buffer per socket"),
	"tune_buffer":    ignored("a buffer of Erlang; exgate has no buffer per socket"),
	"high_watermark": ignored("a queue of Erlang; limits.send_queue_bytes bounds what is queued for a slow device"),
	"nodelay":        streamOnly(noDelay),
	"nolinger": streamOnly(wanted(false,
		"exgate ends connections in order; limits.linger_timeout bounds how long that takes")),
	"reuseaddr": wanted(true, "exgate always listens with SO_REUSEADDR, as Go does"),
	"keepalive": streamOnly(keepAlive),
}

// streamOnly restricts a rule to tcp and tls listeners; EMQX does not use the setting on others.
func streamOnly(r rule) rule {
	return func(s *scope, name string, v *hocon.Value) {
		if s.datagram() {
			s.needless(v, s.name(name), "EMQX does not use it on "+s.kind+" listeners")
			return
		}
		r(s, name, v)
	}
}

func noDelay(s *scope, name string, v *hocon.Value) {
	if on, ok := s.flag(name, v); ok {
		s.to.set("socket.nodelay", on)
	}
}

// keepAlive carries over the silence before the first probe, in seconds; EMQX writes "Idle,Interval,Probes" or none.
func keepAlive(s *scope, name string, v *hocon.Value) {
	if v.Text == "none" {
		s.needless(v, s.name(name), "exgate probes silent connections every socket.keepalive (1m0s)")
		return
	}
	idle, _, _ := strings.Cut(v.Text, ",")
	d, ok := parseDuration(strings.TrimSpace(idle) + "s")
	if v.Kind != hocon.Scalar || !ok || d < time.Second {
		s.decide(v, s.name(name), `must be none or like "240,30,5"`)
		return
	}
	s.to.set("socket.keepalive", d.String())
	s.decide(v, s.name(name), "exgate has one time, socket.keepalive, before the first probe and between probes; the "+
		"system decides their number")
}
