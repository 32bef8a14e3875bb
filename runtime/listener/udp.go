package listener

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// UDPConfig is a UDP listener's.
type UDPConfig struct {
	// Name is the listener's in metrics. If zero, Bind.
	Name string
	// Bind is the address to listen on, as host:port; without a host, all addresses: replies then leave from the one that the peer asked.
	Bind string
	// Admission says who may connect. If zero, everybody.
	Admission *Admission
	// IdleTimeout ends a peer that has sent nothing for so long, unless its handler started the keepalive timer, which then says when. It
	// is checked eight times within itself. If zero, 30 s.
	IdleTimeout time.Duration
	// MaxPeers is how many peers there may be at once. If zero, 50,000.
	MaxPeers int
	// NewPeersPerSecond is how many peers may be new each second, so that a flood of forged source addresses stays cheap. One second's worth
	// may come at once. If zero, 2,000.
	NewPeersPerSecond float64
	// NewPeersPerPrefix is the same for the peers of one IPv4 /24 or IPv6 /64. If zero, half of NewPeersPerSecond.
	NewPeersPerPrefix float64
	// QueueDatagrams is how many datagrams of one peer may wait for its handler; what comes above is dropped. If zero, 64.
	QueueDatagrams int
	// QueueBytes is the same in bytes; one datagram always fits. If zero, 128 KiB.
	QueueBytes int
	// MaxDatagram is the largest datagram taken, in bytes; longer ones are dropped. If zero, 65,507: the largest there is.
	MaxDatagram int
	// Workers is how many peers' handlers may be at work, or wait for something, at the same time; further peers wait. If zero, 1,024.
	Workers int
	// ReadBuffer is the size of the socket's receive buffer in bytes, as far as the kernel allows (net.core.rmem_max). If zero, 4 MiB.
	ReadBuffer int
	// WriteBuffer is the same for sending (net.core.wmem_max). If zero, what the kernel gives.
	WriteBuffer int
	// Sockets opens the socket, or takes an inherited one. If zero, it is opened.
	Sockets *Sockets
	// Logger takes what goes wrong while reading. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts. If zero, an unregistered set.
	Metrics *Metrics
}

func (c *UDPConfig) setDefaults() {
	setDefault(&c.Name, c.Bind)
	setDefault(&c.IdleTimeout, gateway.DefaultLimits.IdleTimeout)
	setDefault(&c.MaxPeers, 50_000)
	setDefault(&c.NewPeersPerSecond, 2000)
	setDefault(&c.NewPeersPerPrefix, c.NewPeersPerSecond/2)
	setDefault(&c.QueueDatagrams, 64)
	setDefault(&c.QueueBytes, 128<<10)
	setDefault(&c.MaxDatagram, 65_507)
	setDefault(&c.Workers, 1024)
	setDefault(&c.ReadBuffer, 4<<20)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// UDP makes a connection of each address that sends to a UDP socket.
type UDP struct {
	mux       *mux
	admission *Admission
}

var _ gateway.Listener = (*UDP)(nil)

// ListenUDP opens the socket. Nothing is read before Serve.
func ListenUDP(ctx context.Context, cfg UDPConfig) (*UDP, error) {
	cfg.setDefaults()
	socket, err := openUDP(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("opening UDP listener: %w", err)
	}
	l := &UDP{admission: cfg.Admission}
	l.mux = newMux(socket, muxConfig{
		screen: l.allowed, admit: l.admit, idleTimeout: cfg.IdleTimeout, maxPeers: cfg.MaxPeers,
		newPeers: cfg.NewPeersPerSecond, newPeersPrefix: cfg.NewPeersPerPrefix,
		queueDatagrams: cfg.QueueDatagrams, queueBytes: cfg.QueueBytes, workers: cfg.Workers,
		losses: newLossCounters(cfg.Metrics, cfg.Name), log: cfg.Logger,
	})
	return l, nil
}

func (l *UDP) allowed(source netip.AddrPort, _ []byte) bool {
	return l.admission.Allowed(source.Addr())
}

func (l *UDP) admit(source netip.AddrPort) (ticket Ticket, ok bool) {
	return l.admission.Admit(source.Addr())
}

// Addr is the address that the socket is bound to.
func (l *UDP) Addr() net.Addr { return net.UDPAddrFromAddrPort(l.mux.socket.addr()) }

// Close stops the reading. The connections stay and may send; the socket is freed when the last of them has ended.
func (l *UDP) Close() error { return l.mux.stop() }

// Serve reads until Close. Connections are made, and their handlers called, on goroutines that are there only while there is something to do.
func (l *UDP) Serve(attach func(gateway.Transport) (*gateway.Conn, error)) error {
	l.mux.cfg.newPeer = func(p *peer) receiver {
		s := &udpSocket{peer: p}
		conn, err := attach(s)
		if err != nil {
			return nil
		}
		s.conn = conn
		return s
	}
	l.mux.serve()
	return nil
}

// How long to try to bind an address that is in use: the socket of a listener that was just removed is freed a moment after the
// last of its connections.
const (
	bindTries = 20
	bindPause = 10 * time.Millisecond
)

func openUDP(ctx context.Context, cfg UDPConfig) (datagrams, error) {
	c, err := bindUDP(ctx, cfg)
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

func bindUDP(ctx context.Context, cfg UDPConfig) (*net.UDPConn, error) {
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

// unmappedSource is a with IPv4 as IPv4.
func unmappedSource(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
