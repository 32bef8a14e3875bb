package rollout

import (
	"net/netip"
	"time"

	"github.com/exgate/exgate/internal/source"
	"github.com/exgate/exgate/runtime/gateway"
)

// conn is the handler of one connection of a [Module]: that of its version, with what the module must know. Its fields are owned by whoever runs the
// connection's events.
type conn struct {
	module   *Module
	adapter  gateway.ConnectionAdapter
	version  *version
	handler  gateway.ConnectionHandler
	source   netip.Prefix // set by OnSocketCreated
	trial    *trial       // that it counts in
	admitted bool
	faulty   bool // counted as such
	drained  bool // told
}

var (
	_ gateway.ConnectionHandler = (*conn)(nil)
	_ gateway.Drainer           = (*conn)(nil)
)

// Digest is that of the version that the connection was given to.
func (h *conn) Digest() string { return h.version.digest }

func (h *conn) OnSocketCreated(info gateway.ConnInfo) error {
	h.source = source.Of(info.Peer)
	if err := h.module.admit(h); err != nil {
		return err
	}
	return h.note(h.handler.OnSocketCreated(info))
}

func (h *conn) OnReceivedBytes(b []byte) error {
	return h.note(h.handler.OnReceivedBytes(b))
}

func (h *conn) OnTimerTimeout(t gateway.TimerType) error {
	return h.note(h.handler.OnTimerTimeout(t))
}

func (h *conn) OnReceivedMessages(messages []gateway.Message) error {
	return h.note(h.handler.OnReceivedMessages(messages))
}

func (h *conn) OnSocketClosed(reason gateway.CloseReason) error {
	if !h.admitted {
		return nil
	}
	defer h.module.leave(h)
	h.noteReason(reason) // the fault of a posted event is seen only here
	return h.note(h.handler.OnSocketClosed(reason))
}

// OnDrain tells the guest once, whether the module or the gateway asks first.
func (h *conn) OnDrain() error {
	d, ok := h.handler.(gateway.Drainer)
	if !ok || h.drained {
		return nil
	}
	h.drained = true
	return h.note(d.OnDrain())
}

// note counts the connection where err is a fault of the guest.
func (h *conn) note(err error) error {
	if err != nil {
		h.noteReason(gateway.ReasonOf(err))
	}
	return err
}

func (h *conn) noteReason(r gateway.CloseReason) {
	if !h.faulty && r.Code >= gateway.ReasonGuestTrap.Code && r.Code <= gateway.ReasonGuestBadAction.Code {
		h.faulty = true
		h.module.faulted(h)
	}
}

const (
	// drainsAtOnce is how many connections are told of a drain at once: each waits for its instance, and Limits.Waiting bounds those.
	drainsAtOnce = 64
	// drainPatience is how long one that is busy keeps others from being told.
	drainPatience = 100 * time.Millisecond
)

// postDrain posts the drain to each connection.
func postDrain(conns []*conn) {
	places := make(chan struct{}, drainsAtOnce)
	for _, h := range conns {
		select {
		case places <- struct{}{}:
		case <-time.After(drainPatience): // busy, or closed before they could be told
			places = make(chan struct{}, drainsAtOnce)
			places <- struct{}{}
		}
		place := places
		told := h.adapter.Post(func() error {
			defer func() { <-place }()
			return h.OnDrain()
		})
		if !told {
			<-place
		}
	}
}
