package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// Listener creates a connection for each address that sends to a UDP socket.
type Listener struct {
	mux       *Mux
	admission *admission.Admission
	attach    func(gateway.Transport) (*gateway.Conn, error)
}

var _ gateway.Listener = (*Listener)(nil)

// Listen opens the socket. Nothing is read before Serve.
func Listen(ctx context.Context, cfg Config) (*Listener, error) {
	l := &Listener{admission: cfg.Admission}
	var err error
	if l.mux, err = NewMux(ctx, cfg, Hooks{Screen: l.allowed, NewPeer: l.newPeer}); err != nil {
		return nil, fmt.Errorf("opening UDP listener: %w", err)
	}
	return l, nil
}

func (l *Listener) allowed(source netip.AddrPort, _ []byte) bool {
	return l.admission.Allowed(source.Addr())
}

// newPeer makes the connection of a new peer.
func (l *Listener) newPeer(p *Peer) Receiver {
	s := &transport{peer: p}
	conn, err := l.attach(s)
	if err != nil {
		return nil
	}
	s.conn = conn
	return s
}

// Addr returns the address that the socket is bound to.
func (l *Listener) Addr() net.Addr { return l.mux.Addr() }

// Close stops reading. Open connections stay and may send; the socket is closed when the last of them has ended.
func (l *Listener) Close() error { return l.mux.Stop() }

// Serve reads until Close. Connections are made, and their handlers called, by workers that exit when idle.
func (l *Listener) Serve(attach func(gateway.Transport) (*gateway.Conn, error)) error {
	l.attach = attach
	l.mux.Serve()
	return nil
}

// How long to retry binding an address in use: the socket of a listener that was just removed is closed a moment after
// the last of its connections.
const (
	bindTries = 20
	bindPause = 10 * time.Millisecond
)

func openSocket(ctx context.Context, cfg Config) (datagrams, error) {
	c, err := bind(ctx, cfg)
	if err != nil {
		return nil, err
	}
	d, err := openBatch(c, cfg.MaxDatagram)
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("%s: %w", cfg.Bind, err)
	}
	return d, nil
}

func bind(ctx context.Context, cfg Config) (*net.UDPConn, error) {
	for try := 1; ; try++ {
		c, err := cfg.Sockets.ListenPacket(ctx, "udp", cfg.Bind, nil)
		if err == nil {
			udp := c.(*net.UDPConn)
			return udp, errors.Join(udp.SetReadBuffer(cfg.ReadBuffer), setWriteBuffer(udp, cfg.WriteBuffer))
		}
		if try == bindTries || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
		select {
		case <-time.After(bindPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func setWriteBuffer(c *net.UDPConn, size int) error {
	if size == 0 {
		return nil
	}
	return c.SetWriteBuffer(size)
}

// unmappedSource converts an IPv4-mapped address to IPv4.
func unmappedSource(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
