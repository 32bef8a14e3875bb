package listener

import (
	"bytes"
	"log/slog"
	"time"

	"golang.org/x/time/rate"
)

// grpcHello is what every gRPC client sends first, RFC 9113, section 3.4. No device protocol begins with it.
var grpcHello = []byte("PRI * HTTP/2.0\r\n")

// grpcClients warns, at most once a minute, about gRPC clients on a device port: handlers that were given the wrong
// address.
type grpcClients struct {
	log  *slog.Logger
	once rate.Sometimes
}

func newGRPCClients(log *slog.Logger) *grpcClients {
	return &grpcClients{log: log, once: rate.Sometimes{Interval: time.Minute}}
}

// watch checks the first bytes that s reads.
func (g *grpcClients) watch(s *streamSocket) {
	s.tryRead = func(fd uintptr) bool {
		if !s.readOnce(fd) {
			return false
		}
		s.tryRead = s.readOnce
		if s.n > 0 && bytes.HasPrefix(s.buf[:s.n], grpcHello) {
			g.once.Do(func() { g.warn(s) })
		}
		return true
	}
}

func (g *grpcClients) warn(s *streamSocket) {
	g.log.Warn("a gRPC client is connected to the port for devices", "peer", s.peer,
		"check", "whether it is a handler: the address that handlers call is adapter.bind, "+
			"not the bind of this listener")
}
