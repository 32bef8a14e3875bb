package listener

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// TCPConfig is a TCP listener's.
type TCPConfig struct {
	// Bind is the address to listen on, as host:port; without a host, all addresses.
	Bind string
	// KeepAlive is the interval of TCP keepalive probes. If zero, 60 s; negative turns them off.
	KeepAlive time.Duration
	// Logger takes what goes wrong while accepting. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts. If zero, an unregistered set.
	Metrics *Metrics
}

// TCP accepts TCP connections.
type TCP struct {
	listener *net.TCPListener
	accept   acceptLoop
}

var _ gateway.Listener = (*TCP)(nil)

// ListenTCP opens the socket. Nothing is accepted before Serve.
func ListenTCP(ctx context.Context, cfg TCPConfig) (*TCP, error) {
	if cfg.KeepAlive == 0 {
		cfg.KeepAlive = time.Minute
	}
	lc := net.ListenConfig{KeepAlive: cfg.KeepAlive}
	lc.SetMultipathTCP(false) // see RATIONALE.md, "Why is multipath TCP off?"
	l, err := lc.Listen(ctx, "tcp", cfg.Bind)
	if err != nil {
		return nil, fmt.Errorf("opening TCP listener: %w", err)
	}
	return &TCP{listener: l.(*net.TCPListener), accept: newAcceptLoop(l.Addr(), cfg.Logger, cfg.Metrics)}, nil
}

// Addr is the address that the socket is bound to.
func (l *TCP) Addr() net.Addr { return l.listener.Addr() }

// Close stops the accepting; the connections stay.
func (l *TCP) Close() error { return l.accept.close(l.listener) }

// Serve accepts until Close, and reads each connection on a goroutine of its own.
func (l *TCP) Serve(attach func(gateway.Transport) (*gateway.Conn, error)) error {
	return l.accept.run(func() error {
		c, err := l.listener.AcceptTCP()
		if err != nil {
			return err
		}
		go serveTCP(c, attach)
		return nil
	})
}

func serveTCP(c *net.TCPConn, attach func(gateway.Transport) (*gateway.Conn, error)) {
	s, err := newTCPSocket(c)
	if err != nil {
		_ = c.Close()
		return
	}
	conn, err := attach(s)
	if err != nil {
		_ = s.Abort()
		return
	}
	s.serve(conn)
}
