package rollout

import (
	"net/netip"
	"time"

	"github.com/exgate/exgate/internal/source"
	"github.com/exgate/exgate/runtime/gateway"
)

// conn is the handler of one connection of a [Module]. It wraps the handler of its version. Owned by the goroutine that
// runs the connection's events.
type conn struct {
	module   *Module
	adapter  gateway.ConnectionAdapter
	version  *version
	handler  gateway.ConnectionHandler
	source   netip.Prefix // set by OnSocketCreated
	trial    *trial       // the trial that counts it
	admitted bool
	faulty   bool // its fault has been counted
	drained  bool // OnDrain was called
}

var (
	_ gateway.ConnectionHandler = (*conn)(nil)
	_ gateway.AlarmHandler      = (*conn)(nil)
	_ gateway.Drainer           = (*conn)(nil)
	_ gateway.StateKeeper       = (*conn)(nil)
)

// Digest returns the digest of the connection's version.
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

// OnAlarm calls the version that serves the connection: a newer one never knows its timers.
func (h *conn) OnAlarm(id uint32) error {
	a, ok := h.handler.(gateway.AlarmHandler)
	if !ok {
		return nil
	}
	return h.note(a.OnAlarm(id))
}

// KeepsState asks the version that serves the connection.
func (h *conn) KeepsState() bool {
	k, ok := h.handler.(gateway.StateKeeper)
	return ok && k.KeepsState()
}

func (h *conn) OnReceivedMessages(messages []gateway.Message) error {
	return h.note(h.handler.OnReceivedMessages(messages))
}

func (h *conn) OnSocketClosed(reason gateway.CloseReason) error {
	if !h.admitted {
		return nil
	}
	defer h.module.leave(h)
	h.noteReason(reason) // the fault of a posted event is known only here
	return h.note(h.handler.OnSocketClosed(reason))
}

// OnDrain calls the guest once, whether the module or the gateway drains first.
func (h *conn) OnDrain() error {
	d, ok := h.handler.(gateway.Drainer)
	if !ok || h.drained {
		return nil
	}
	h.drained = true
	return h.note(d.OnDrain())
}

// note counts the connection if err is a fault of the guest.
func (h *conn) note(err error) error {
	if err != nil {
		h.noteReason(gateway.ReasonOf(err))
	}
	return err
}

func (h *conn) noteReason(r gateway.CloseReason) {
	ofGuest := r.Code >= gateway.ReasonGuestTrap.Code && r.Code <= gateway.ReasonGuestBadAction.Code ||
		r.Code == gateway.ReasonGuestFailed.Code
	if !h.faulty && ofGuest {
		h.faulty = true
		h.module.faulted(h)
	}
}

const (
	// drainsAtOnce bounds the drain events in progress: each waits for its instance, and Limits.Waiting bounds those.
	drainsAtOnce = 64
	// drainPatience is how long busy connections delay the drain events of others.
	drainPatience = 100 * time.Millisecond
)

// postDrain posts OnDrain to each connection.
func postDrain(conns []*conn) {
	slots := make(chan struct{}, drainsAtOnce)
	for _, h := range conns {
		select {
		case slots <- struct{}{}:
		case <-time.After(drainPatience): // the others are busy, or closed before the event ran
			slots = make(chan struct{}, drainsAtOnce)
			slots <- struct{}{}
		}
		slot := slots
		posted := h.adapter.Post(func() error {
			defer func() { <-slot }()
			return h.OnDrain()
		})
		if !posted {
			<-slot
		}
	}
}
