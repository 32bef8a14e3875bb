package dtls

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/internal/lograte"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/udp"
)

// Listener creates a connection for each client that completes a DTLS 1.2 handshake on a UDP socket. One record from a
// client is one event of its handler; one Send is one record.
type Listener struct {
	cfg      Config
	mux      *udp.Mux
	secrets  secrets
	options  atomic.Pointer[serverOptions]
	counters counters
	attach   func(gateway.Transport) (*gateway.Conn, error)

	greylist    *greylist // owned by the goroutine that reads the socket
	flooded     lograte.Limiter
	failures    *admission.OpeningLog
	unverified  *admission.WaitingRoom // sources that have not proved their address
	handshaking *admission.WaitingRoom // clients that have
	pending     context.Context
	giveUp      context.CancelCauseFunc // ends all handshakes
	queue       pipeRoom                // of each session

	mu  sync.Mutex
	ids map[connectionID]*session // guarded by mu
}

// connectionID is a connection ID issued by this side.
type connectionID [cidLength]byte

var _ gateway.Listener = (*Listener)(nil)

// Listen loads the files and opens the socket. No datagram is read before Serve.
func Listen(ctx context.Context, cfg Config) (*Listener, error) {
	l, err := newListener(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening DTLS listener: %w", err)
	}
	l.mux, err = udp.NewMux(ctx, udp.Config{
		Name: l.cfg.Name, Bind: cfg.Bind, IdleTimeout: time.Minute, MaxPeers: cfg.MaxPeers,
		NewPeersPerSecond: l.cfg.NewPeersPerSecond, NewPeersPerPrefix: l.cfg.NewPeersPerSecond / 8,
		QueueDatagrams: cfg.QueueDatagrams, MaxDatagram: maxRead, ReadBuffer: cfg.ReadBuffer,
		WriteBuffer: cfg.WriteBuffer,
		Sockets:     cfg.Sockets, Logger: l.cfg.Logger, Metrics: l.cfg.UDPMetrics,
	}, udp.Hooks{Screen: l.screen, NewPeer: l.newPeer, Inline: true})
	if err != nil {
		return nil, fmt.Errorf("opening DTLS listener: %w", err)
	}
	l.queue.datagrams, l.queue.bytes = l.mux.QueueLimit()
	return l, nil
}

func newListener(cfg Config) (*Listener, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	l := &Listener{
		cfg: cfg, counters: counters{cfg.Name, cfg.Metrics}, ids: make(map[connectionID]*session),
		greylist: newGreylist(), failures: admission.NewOpeningLog(cfg.Logger),
	}
	var err error
	if l.secrets, err = loadSecrets(&l.cfg); err != nil {
		return nil, err
	}
	if err := l.renew(); err != nil {
		return nil, err
	}
	l.unverified = admission.NewWaitingRoom(cfg.maxUnverified, max(cfg.maxUnverified/4, 1))
	l.handshaking = admission.NewWaitingRoom(cfg.MaxHandshakes, max(cfg.MaxHandshakes/2, 1))
	l.pending, l.giveUp = context.WithCancelCause(context.Background())
	return l, nil
}

// Check reads the files and reports what [Listen] would refuse, without opening a socket.
func (c Config) Check() error {
	c.Logger = slog.New(slog.DiscardHandler)
	l, err := newListener(c)
	if err == nil {
		l.giveUp(nil)
	}
	return err
}

// renew makes new sessions use the current content of the files.
func (l *Listener) renew() error {
	o, err := l.secrets.options()
	if err != nil {
		return err
	}
	l.options.Store(&o)
	return nil
}

// Addr returns the address that the socket is bound to.
func (l *Listener) Addr() net.Addr { return l.mux.Addr() }

// Close stops reading and ends all handshakes. Connections stay and may send; the socket is closed when the last of
// them has ended.
func (l *Listener) Close() error {
	l.giveUp(errListenerClosed)
	if l.secrets.certs != nil {
		l.secrets.certs.Close()
	}
	return l.mux.Stop()
}

// Serve reads until Close. Each client has its own goroutines.
func (l *Listener) Serve(attach func(gateway.Transport) (*gateway.Conn, error)) error {
	l.attach = attach
	if l.secrets.certs != nil {
		go l.secrets.certs.Watch(certificateWatch, func() {
			if err := l.renew(); err != nil {
				l.cfg.Logger.Error("the changed certificate cannot be used for DTLS; keeping the previous one", "error",
					err)
			}
		})
	}
	l.mux.Serve()
	return nil
}

// screen accepts a datagram of an unknown source if it is a ClientHello or belongs to a session that roams.
func (l *Listener) screen(source netip.AddrPort, b []byte) bool {
	hello := isHello(b)
	if !hello && l.roamer(b) == nil {
		l.counters.drop(dropNotHello)
		return false
	}
	return l.cfg.Admission.Allowed(source.Addr()) && (!hello || l.takesHello(source, b))
}

// proofTime is how long a source that was answered keeps its slot for certain: the round trip in which it proves its
// address. A source that was not answered repeats its hello; one that lost its slot after the answer cannot.
const proofTime = 500 * time.Millisecond

// takesHello reports whether a hello may begin a handshake. While many sources have not proved their address, only a
// repeated hello may.
func (l *Listener) takesHello(source netip.AddrPort, hello []byte) bool {
	if !l.unverified.Pressed(source.Addr()) {
		return true
	}
	now := time.Now()
	if suppressed, ok := l.flooded.Allow(now); ok {
		l.cfg.Logger.Warn("many DTLS hellos come from sources that do not continue: until that ends, "+
			"new devices are answered only when they repeat their hello",
			"source", source, "unproved", l.unverified.Len(), "suppressed", suppressed)
	}
	if !l.greylist.repeated(source, hello, now) {
		l.counters.drop(dropGreylisted)
		return false
	}
	if !l.unverified.HasSlot(source.Addr(), proofTime) {
		l.counters.drop(dropBusy)
		return false
	}
	return true
}

func (l *Listener) newPeer(p *udp.Peer) udp.Receiver {
	return &peer{listener: l, path: &path{p}}
}

// newID issues a connection ID for s.
func (l *Listener) newID(s *session) []byte {
	id := randomConnectionID()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ids, s.id)
	s.id = id
	l.ids[id] = s
	return id[:]
}

func (l *Listener) forgetID(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ids[s.id] == s {
		delete(l.ids, s.id)
	}
}

// roamer returns the session with the connection ID in the first record of b, or nil.
func (l *Listener) roamer(b []byte) *session {
	if !l.cfg.ConnectionIDs || len(b) < recordHeader+cidLength || b[0] != recordConnectionID {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ids[connectionID(b[11:])]
}
