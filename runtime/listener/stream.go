package listener

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
)

type attach = func(gateway.Transport) (*gateway.Conn, error)

// socket is a transport that reads itself.
type socket interface {
	gateway.Transport
	serve(c *gateway.Conn)
}

// stream is what TCP, TLS and unix listeners share: a connection is admitted where it is accepted, which never waits;
// its PROXY header and its handshake, which may, come on its own goroutine.
type stream struct {
	listener  net.Listener
	accept    acceptLoop
	log       *slog.Logger
	admission *admission.Admission
	options   SocketOptions
	proxy     *proxy     // nil without the PROXY protocol
	tls       *tlsServer // nil without TLS
	opening   *opening   // nil without both
	clients   *grpcClients
	attaching attaching
	failures  *admission.OpeningLog
}

// defaultMaxOpening bounds the connections of which the PROXY header or the handshake is awaited.
const defaultMaxOpening = 1024

func listenStream(ctx context.Context, cfg TCPConfig) (*stream, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	network, address := splitBind(cfg.Bind)
	p, err := newProxy(cfg.Proxy, network, cfg.Metrics.proxyRefused.MustCurryWith(map[string]string{"listener": cfg.Name}))
	if err != nil {
		return nil, err
	}
	s := &stream{
		admission: cfg.Admission, options: cfg.Options.withDefaults(), proxy: p,
		log: cfg.Logger.With("listener", cfg.Name),
	}
	if s.listener, err = cfg.listen(ctx, network, address); err != nil {
		return nil, err
	}
	if err := s.options.listening(s.listener); err != nil {
		return nil, fmt.Errorf("setting options of %s: %w", cfg.Bind, closing(s.listener, err))
	}
	if p != nil {
		s.opening = newOpening(defaultMaxOpening)
	}
	s.clients = newGRPCClients(s.log)
	s.failures = admission.NewOpeningLog(s.log)
	s.accept = newAcceptLoop(s.listener.Addr(), cfg.Logger, cfg.Metrics)
	return s, nil
}

// closing closes a socket that an error made useless.
func closing(l net.Listener, err error) error {
	_ = l.Close()
	return err
}

// Addr is the address that the socket is bound to.
func (l *stream) Addr() net.Addr { return l.listener.Addr() }

// Close stops the accepting; the connections stay. Those of which the handshake is under way have 2 s for it.
func (l *stream) Close() error {
	err := l.accept.close(l.listener)
	if l.opening != nil {
		l.opening.close()
	}
	return err
}

// Serve accepts until Close, and reads each connection on a goroutine of its own.
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
			Stage: "PROXY header", Result: "untrusted",
			Err: errUntrusted,
		})
	}
	if !ok {
		_ = s.Abort()
		return s, false
	}
	s.ticket.Silent(&s.silent, s)
	return s, true
}

// begin gives s a place among those that are silent, in the order of accepting; nil where nothing is awaited.
func (l *stream) begin(s *streamSocket) *openingConn {
	switch {
	case l.opening == nil:
		return nil
	case l.proxy != nil:
		return l.opening.begin(s.conn, netip.Addr{}) // a load balancer brings many devices
	}
	return l.opening.begin(s.conn, s.peer.Addr())
}

func (l *stream) serve(s *streamSocket, e *openingConn, attach attach) {
	if t, conn := l.attach(s, e, attach); conn != nil {
		t.serve(conn)
	}
}

// attach makes the connection of an accepted socket, or frees the socket and returns nil.
func (l *stream) attach(s *streamSocket, e *openingConn, attach attach) (socket, *gateway.Conn) {
	defer l.attaching.end()
	l.options.accepted(s.conn)
	t, err := l.establish(s, e)
	if err != nil {
		l.failures.Failed(s.peer, err)
		_ = s.Close() // not Abort: a TLS alert may be on its way
		return nil, nil
	}
	conn, err := attach(t)
	if err != nil {
		_ = t.Abort()
		return nil, nil
	}
	return t, conn
}

// establish does what comes before the device's own bytes.
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
	if l.tls == nil {
		return s, s.ticket.Settle()
	}
	return l.tls.handshake(s, e)
}

// attaching counts the connections that were accepted and are not the gateway's yet.
type attaching struct {
	mu     sync.Mutex
	n      int           // guarded by mu
	wanted chan struct{} // closed when n is 0; made by who waits; guarded by mu
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

// none is closed when there are none.
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

// Attached waits, after Serve has returned, until each accepted connection is the gateway's or has failed. What the
// gateway has, it ends in order; what only the listener has would be reset.
func (l *stream) Attached(ctx context.Context) error {
	select {
	case <-l.attaching.none():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the connections being made at %s: %w", l.Addr(), ctx.Err())
	}
}
