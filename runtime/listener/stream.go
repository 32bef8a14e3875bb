package listener

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
)

type attach = func(gateway.Transport) (*gateway.Conn, error)

// socket is a transport that runs its own reading.
type socket interface {
	Socket
	serve(c *gateway.Conn)
	base() *streamSocket
	readTo(f func(b []byte)) error
}

// stream is the common part of TCP, TLS and unix listeners. A connection is admitted by the accepting goroutine, which
// never waits; its PROXY header and handshake, which may, are read on its own goroutine.
type stream struct {
	listener  net.Listener
	accept    acceptLoop
	log       *slog.Logger
	admission *admission.Admission
	options   SocketOptions
	proxy     *proxy     // nil without the PROXY protocol
	tls       *tlsServer // nil without TLS
	upgrade   *Upgrade   // nil without a protocol above
	opening   *opening   // nil without these three
	clients   *grpcClients
	attaching attaching
	failures  *admission.OpeningLog
}

// defaultMaxOpening bounds the connections whose PROXY header or handshake is still incomplete.
const defaultMaxOpening = 1024

func listenStream(ctx context.Context, cfg TCPConfig) (*stream, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	network, address := splitBind(cfg.Bind)
	refused := cfg.Metrics.proxyRefused.MustCurryWith(map[string]string{"listener": cfg.Name})
	p, err := newProxy(cfg.Proxy, network, refused)
	if err != nil {
		return nil, err
	}
	s := &stream{
		admission: cfg.Admission, options: cfg.Options.withDefaults(), proxy: p,
		log: cfg.Logger.With("listener", cfg.Name), upgrade: cfg.Upgrade,
	}
	if s.listener, err = cfg.listen(ctx, network, address); err != nil {
		return nil, err
	}
	if err := s.options.listening(s.listener); err != nil {
		return nil, fmt.Errorf("setting options of %s: %w", cfg.Bind, closing(s.listener, err))
	}
	if p != nil || cfg.Upgrade != nil {
		s.opening = newOpening(defaultMaxOpening)
	}
	s.clients = newGRPCClients(s.log)
	s.failures = admission.NewOpeningLog(s.log)
	s.accept = newAcceptLoop(s.listener.Addr(), cfg.Logger, cfg.Metrics)
	return s, nil
}

// closing closes l and returns err.
func closing(l io.Closer, err error) error {
	_ = l.Close()
	return err
}

// Addr returns the address that the socket is bound to.
func (l *stream) Addr() net.Addr { return l.listener.Addr() }

// Close stops accepting; open connections stay. Handshakes in progress get 2 s to finish.
func (l *stream) Close() error {
	err := l.accept.close(l.listener)
	if l.opening != nil {
		l.opening.close()
	}
	return err
}

// Serve accepts connections until Close and reads each on its own goroutine.
func (l *stream) Serve(attach func(gateway.Transport) (*gateway.Conn, error)) error {
	return l.accept.run(func() error {
		c, err := l.listener.Accept()
		if err != nil {
			return err
		}
		if s, ok := l.admit(c.(streamConn)); ok {
			l.attaching.begin()
			go l.serve(s, l.begin(s), attach)
		}
		return nil
	})
}

func (l *stream) admit(c streamConn) (*streamSocket, bool) {
	s, err := newStreamSocket(c)
	if err != nil {
		_ = c.Close()
		return nil, false
	}
	var ok bool
	switch source := s.peer.Addr(); {
	case l.opening == nil:
		s.ticket, ok = l.admission.Admit(source)
	case l.proxy == nil:
		s.ticket, ok = l.admission.AdmitSilent(source)
	case l.proxy.trusts(source):
		s.ticket, ok = l.admission.AdmitSilentProxy(source)
	default:
		l.proxy.refused.WithLabelValues("untrusted").Inc()
		l.failures.Failed(s.peer, &admission.OpeningError{
			Stage: "PROXY header", Result: "untrusted", Err: errUntrusted,
		})
	}
	if !ok {
		_ = s.Abort()
		return s, false
	}
	s.ticket.Silent(&s.silent, s)
	return s, true
}

// begin adds s to the silent connections, in the order they were accepted. It returns nil if the listener needs neither
// a header nor a handshake.
func (l *stream) begin(s *streamSocket) *openingConn {
	switch {
	case l.opening == nil:
		return nil
	case l.proxy != nil:
		return l.opening.begin(s.conn, netip.Addr{}) // a load balancer carries many devices
	}
	return l.opening.begin(s.conn, s.peer.Addr())
}

func (l *stream) serve(s *streamSocket, e *openingConn, attach attach) {
	if t, conn := l.attach(s, e, attach); conn != nil {
		t.serve(conn)
	}
}

// attach attaches an accepted socket to the gateway, or closes it and returns nil.
func (l *stream) attach(s *streamSocket, e *openingConn, attach attach) (socket, *gateway.Conn) {
	defer l.attaching.end()
	l.options.accepted(s.conn)
	t, err := l.establish(s, e)
	if err != nil {
		l.failures.Failed(s.peer, err)
		_ = s.Close() // not Abort: a TLS alert may be on its way
		return nil, nil
	}
	transport := s.transport(t)
	conn, err := attach(transport)
	if err != nil {
		_ = transport.Abort()
		return nil, nil
	}
	if s.above != nil {
		s.above.Attached(conn)
	}
	return t, conn
}

// establish reads the PROXY header and runs the handshake, if any.
func (l *stream) establish(s *streamSocket, e *openingConn) (socket, error) {
	if e == nil {
		l.clients.watch(s)
		return s, nil
	}
	t, err := l.open(s, e)
	if !e.done() && err == nil {
		err = admission.ErrBusy
	}
	return t, err
}

func (l *stream) open(s *streamSocket, e *openingConn) (socket, error) {
	if l.proxy != nil {
		device, err := l.proxy.read(s, e)
		if err != nil {
			return nil, err
		}
		if !s.ticket.Rebind(device) || !e.enter(l.opening.silent, device) {
			return nil, admission.ErrRefused
		}
	}
	t, err := l.secure(s, e)
	if err == nil && l.upgrade != nil {
		err = l.upgradeSocket(t, e)
	}
	return t, err
}

// secure runs the TLS handshake, if any.
func (l *stream) secure(s *streamSocket, e *openingConn) (socket, error) {
	switch {
	case l.tls != nil:
		return l.tls.handshake(s, e)
	case l.upgrade != nil:
		return s, nil // it is settled when the device has sent something
	}
	return s, s.ticket.Settle()
}

// attaching counts connections that were accepted but not yet attached to the gateway.
type attaching struct {
	mu     sync.Mutex
	n      int           // guarded by mu
	wanted chan struct{} // closed when n reaches 0; made by the waiter; guarded by mu
}

func (a *attaching) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
}

func (a *attaching) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n--
	if a.n == 0 && a.wanted != nil {
		close(a.wanted)
		a.wanted = nil
	}
}

// none returns a channel that is closed when the count is zero.
func (a *attaching) none() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wanted == nil {
		a.wanted = make(chan struct{})
	}
	none := a.wanted
	if a.n == 0 {
		close(none)
		a.wanted = nil
	}
	return none
}

// Attached waits, after Serve has returned, until each accepted connection is attached to the gateway or has failed.
// The gateway closes its connections in order; one that only the listener has would be reset.
func (l *stream) Attached(ctx context.Context) error {
	select {
	case <-l.attaching.none():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for connections being opened at %s: %w", l.Addr(), ctx.Err())
	}
}
