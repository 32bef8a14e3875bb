package service

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/sockets"
)

// Succession describes how a service takes over from another process. The zero value takes over from none.
type Succession struct {
	// Sockets opens or inherits the listening sockets. If nil, they are opened and cannot be handed over later.
	Sockets *sockets.Sockets
	// Opened is called when everything has started; devices are accepted after it returns. An error aborts the start.
	// Optional.
	Opened func(context.Context) error
	// Version is the version of the program, for captures. Optional.
	Version string
}

func (f Succession) opened(ctx context.Context) error {
	if f.Opened != nil {
		if err := f.Opened(ctx); err != nil {
			return err
		}
	}
	f.Sockets.TookOver()
	return nil
}

// heldListener accepts nothing before start is closed; new connections wait in the queue of the socket.
type heldListener struct {
	gateway.Listener
	start  <-chan struct{}
	closed chan struct{}
	once   sync.Once
	served chan struct{} // closed when Serve has returned and the gateway owns everything that was accepted
}

func newHeldListener(l gateway.Listener, start <-chan struct{}) *heldListener {
	return &heldListener{Listener: l, start: start, closed: make(chan struct{}), served: make(chan struct{})}
}

// holding holds the open device sockets, and some closed ones.
type holding struct {
	mu  sync.Mutex // guards all
	all []*heldListener
}

// add adds h and removes closed sockets.
func (a *holding) add(h *heldListener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(slices.DeleteFunc(a.all, (*heldListener).ended), h)
}

func (a *holding) list() []*heldListener {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

func (h *heldListener) ended() bool {
	select {
	case <-h.served:
		return true
	default:
		return false
	}
}

func (h *heldListener) Serve(attach func(gateway.Transport) (*gateway.Conn, error)) error {
	defer close(h.served)
	select {
	case <-h.start:
		return h.Listener.Serve(attach)
	case <-h.closed:
		return nil
	}
}

func (h *heldListener) Close() error {
	h.once.Do(func() { close(h.closed) })
	return h.Listener.Close()
}

// attached waits until all accepted devices are connections. Call it after Close.
func (h *heldListener) attached(ctx context.Context) error {
	<-h.served
	if l, ok := h.Listener.(interface{ Attached(context.Context) error }); ok {
		return l.Attached(ctx)
	}
	return nil
}

// end closes the connections that the listener has dialed, if it is one that dials, and waits until their sockets are
// closed. Call it after Close.
func (h *heldListener) end(ctx context.Context) error {
	if l, ok := h.Listener.(interface{ End(context.Context) error }); ok {
		return l.End(ctx)
	}
	return nil
}

// Leave stops what would compete with the process that takes over: accepting, services for others than devices, UDP and
// DTLS connections, whose datagrams now go to the new process, and connections to targets, which the new process dials.
// It waits until ctx ends. TCP and TLS connections of devices stay until Stop.
func (s *Service) Leave(ctx context.Context) error {
	s.stopping.Store(true)
	errs := []error{s.stopModules(ctx)} // first: it opens sockets
	held := s.held.list()
	for _, h := range held {
		errs = append(errs, h.Close())
	}
	for _, h := range held {
		errs = append(errs, h.attached(ctx))
	}
	for c := range s.gateway.Conns() {
		if c.Info().SocketType >= gateway.SocketUDP {
			c.Close(gateway.ReasonShutdown)
		}
	}
	for _, h := range held {
		errs = append(errs, h.end(ctx))
	}
	for _, leave := range s.leaves {
		errs = append(errs, leave(ctx))
	}
	return errors.Join(errs...)
}

// DevicesMayStay reports whether connections can stay alongside another process with the same configuration. They
// cannot with the embedded broker, because devices of the two processes would not see each other's messages; nor with a
// gRPC handler, whose calls reach only one of the processes; nor with shared sessions, a gateway status, a spool or
// local state, which only one process can have at a time.
func (s *Service) DevicesMayStay() bool {
	u := s.config().Upstream
	return u.Elsewhere() && !s.config().HasGRPC() && u.Spool.Folder == "" && u.LocalState() == "" &&
		u.GatewayStatus.Topic == "" &&
		!s.upstream.isShared()
}

// drainInterval is how often Drained checks.
const drainInterval = 50 * time.Millisecond

// Drained waits until no device is connected, and reports false if ctx ends first.
func (s *Service) Drained(ctx context.Context) bool {
	tick := time.NewTicker(drainInterval)
	defer tick.Stop()
	for s.Connections() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Connections returns the number of connected devices.
func (s *Service) Connections() int {
	n := 0
	for range s.gateway.Conns() {
		n++
	}
	return n
}
