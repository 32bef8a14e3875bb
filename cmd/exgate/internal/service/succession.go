package service

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// Succession is how a service replaces that of another process. The zero value replaces none.
type Succession struct {
	// Sockets opens the listening sockets or has inherited them. If zero, they are opened, and not handed over later.
	Sockets *listener.Sockets
	// Opened is called when everything is there; devices are accepted once it has returned. Its error ends the start. If zero, they are at once.
	Opened func(context.Context) error
	// Version is the program's, for captures. If zero, they do not say it.
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

// heldListener accepts nothing before start is closed: who connects meanwhile waits in the socket's queue.
type heldListener struct {
	gateway.Listener
	start  <-chan struct{}
	closed chan struct{}
	once   sync.Once
	served chan struct{} // closed when Serve has returned: what was accepted is the gateway's
}

func (s *Service) hold(l gateway.Listener) *heldListener {
	h := &heldListener{Listener: l, start: s.start, closed: make(chan struct{}), served: make(chan struct{})}
	s.held.add(h)
	return h
}

// holding is the sockets of devices that are open, and some that have been closed.
type holding struct {
	mu  sync.Mutex // guards all
	all []*heldListener
}

// add adds h, and forgets those that have ended.
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

// attached waits until the devices that were accepted are connected. It comes after Close.
func (h *heldListener) attached(ctx context.Context) error {
	<-h.served
	if l, ok := h.Listener.(interface{ Attached(context.Context) error }); ok {
		return l.Attached(ctx)
	}
	return nil
}

// Leave ends what would take something that the process with the sockets should have from now on: the accepting of devices, what serves no device, and
// devices without a connection of their own (UDP, DTLS), whose datagrams now go there. ctx bounds the waiting. TCP and TLS connections stay until Stop.
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
	for _, leave := range s.leaves {
		errs = append(errs, leave(ctx))
	}
	return errors.Join(errs...)
}

// DevicesMayStay reports whether the connections that a service has can live on beside another process with the same configuration. They cannot with
// the embedded broker: the devices of one process would not see the messages of the other's. Nor with a gRPC handler: its calls go to whichever process
// it is connected to, and only one knows the device. Nor where the gateway has connections of its own to the broker, or a spool: one process at a time
// has those.
func (s *Service) DevicesMayStay() bool {
	u := s.cfg.Upstream
	return u.Elsewhere() && !s.cfg.HasGRPC() && u.Spool.Folder == "" && u.GatewayStatus.Topic == "" && !s.upstream.isShared()
}

// drainInterval is how often Drained looks.
const drainInterval = 50 * time.Millisecond

// Drained returns true once no device is connected, and false when ctx ends before.
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

// Connections is how many devices are connected.
func (s *Service) Connections() int {
	n := 0
	for range s.gateway.Conns() {
		n++
	}
	return n
}
