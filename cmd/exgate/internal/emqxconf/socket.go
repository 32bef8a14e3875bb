package emqxconf

import (
	"strings"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// socketRules are the options of TCP and UDP sockets; 4.x says them of the listener, 5.x in tcp_options and
// udp_options.
var socketRules = rules{
	"active_n": ignored("exgate reads a socket when its handler is ready, not in batches of " +
		"messages to a process"),
	"backlog":      streamOnly(count("socket.backlog")),
	"send_timeout": streamOnly(duration("limits.send_timeout")),
	"send_timeout_close": streamOnly(wanted(true, "exgate always closes a device that takes nothing for "+
		"limits.send_timeout")),
	"recbuf":      size("socket.recv_buffer"),
	"sndbuf":      size("socket.send_buffer"),
	"buffer":      ignored("a buffer of Erlang's; exgate has no buffer of its own for each socket"),
	"tune_buffer": ignored("a buffer of Erlang's; exgate has no buffer of its own for each socket"),
	"high_watermark": ignored("a queue of Erlang's; what waits for a slow device is bounded by " +
		"limits.send_queue_bytes"),
	"nodelay": streamOnly(noDelay),
	"nolinger": streamOnly(wanted(false,
		"exgate ends connections in order; limits.linger_timeout bounds how long that takes")),
	"reuseaddr": wanted(true, "exgate always listens with SO_REUSEADDR, as Go does"),
	"keepalive": streamOnly(keepAlive),
}

// streamOnly is a rule for tcp and tls listeners; EMQX does not use the setting on others.
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

// keepAlive carries over the seconds of silence before the first probe; EMQX writes "Idle,Interval,Probes" or none.
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
	s.decide(v, s.name(name), "exgate has one time, socket.keepalive, before the first probe and between probes; "+
		"their number is the system's")
}
