package dial

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// socket is the transport of a target's connection.
type socket interface {
	gateway.Transport
	// Serve reads until the connection or the target ends.
	Serve(c *gateway.Conn)
	// closed returns a channel that is closed with the socket.
	closed() <-chan struct{}
}

// dial makes one attempt to connect.
func (d *dialer) dial() (socket, error) {
	l := d.listener
	ticket, err := l.ticket()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(d.ctx, l.cfg.ConnectTimeout)
	defer cancel()
	network := "tcp"
	if d.Network == "udp" {
		network = "udp"
	}
	through := net.Dialer{KeepAlive: -1, ControlContext: l.control}
	c, err := through.DialContext(ctx, network, d.Address)
	if err != nil {
		ticket.Release()
		return nil, err
	}
	if udp, ok := c.(*net.UDPConn); ok {
		return newDatagrams(udp, ticket, d)
	}
	s, err := listener.NewDialed(ctx, c.(*net.TCPConn), ticket, l.cfg.Options, d.tls())
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // crypto/tls names the socket that it closed for that
		}
		return nil, &handshakeError{err}
	}
	return &stream{Dialed: s, properties: d.properties(), done: newDone()}, nil
}

// control refuses a forbidden address. It is called with the address that is about to be dialed: what a name resolved
// to before, or resolves to later, does not matter.
func (l *Listener) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("checking the address to dial: %w", err)
	}
	return Check(l.cfg.Admission, to.Addr())
}

// tls returns the configuration for the target, or nil if it does not use TLS.
func (d *dialer) tls() *tls.Config {
	if d.Network != "tls" {
		return nil
	}
	cfg := d.listener.cfg.TLS
	if cfg.ServerName == "" {
		cfg = cfg.Clone()
		cfg.ServerName, _, _ = net.SplitHostPort(d.Address)
	}
	return cfg
}

// properties describes the target to its handler.
func (d *dialer) properties() []gateway.Property {
	p := []gateway.Property{{Name: "target", Value: d.Name}, {Name: "address", Value: d.Address}}
	if d.Config != "" {
		p = append(p, gateway.Property{Name: "config", Value: d.Config})
	}
	return p
}

// done is a channel that may be closed several times.
type done struct {
	channel chan struct{}
	close   func()
}

func newDone() done {
	channel := make(chan struct{})
	return done{channel, sync.OnceFunc(func() { close(channel) })}
}

func (d done) closed() <-chan struct{} { return d.channel }

// stream is a TCP or TLS connection.
type stream struct {
	*listener.Dialed
	properties []gateway.Property
	done
}

var (
	_ socket         = (*stream)(nil)
	_ gateway.Peeker = (*stream)(nil)
)

// Info describes the peer and the target.
func (s *stream) Info() gateway.ConnInfo {
	info := s.Dialed.Info()
	info.Properties = s.properties
	return info
}

// AuthFailed does nothing: a target is not banned.
func (s *stream) AuthFailed() {}

// Close closes the socket.
func (s *stream) Close() error {
	defer s.done.close()
	return s.Dialed.Close()
}

// Abort closes the socket and discards what the kernel has not sent yet.
func (s *stream) Abort() error {
	defer s.done.close()
	return s.Dialed.Abort()
}
