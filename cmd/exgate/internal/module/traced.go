package module

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
)

// tracedFactory prints the events and the calls of its handlers.
type tracedFactory struct {
	gateway.HandlerFactory
	console *console
	limited map[string]bool // calls that return LIMIT
	made    func(*tracedHandler)
}

func (f *tracedFactory) NewHandler(adapter gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	h := &tracedHandler{console: f.console, limited: f.limited, ended: make(chan struct{})}
	h.idle.L = &h.mu
	inner, err := f.HandlerFactory.NewHandler(tracedAdapter{adapter, h})
	if err != nil {
		return nil, err
	}
	h.inner = inner
	f.made(h)
	return h, nil
}

// tracedHandler is the handler of one connection.
type tracedHandler struct {
	inner   gateway.ConnectionHandler
	console *console
	limited map[string]bool
	ended   chan struct{} // closed after OnSocketClosed
	reason  gateway.CloseReason

	mu      sync.Mutex // guards the field below
	idle    sync.Cond  // no call is in progress
	pending int        // calls that the broker has not answered
}

var (
	_ gateway.AlarmHandler = (*tracedHandler)(nil)
	_ gateway.Drainer      = (*tracedHandler)(nil)
	_ gateway.StateKeeper  = (*tracedHandler)(nil)
)

func (h *tracedHandler) OnSocketCreated(info gateway.ConnInfo) error {
	h.console.line("+", "%v connected", info.Peer)
	return h.inner.OnSocketCreated(info)
}

func (h *tracedHandler) OnReceivedBytes(b []byte) error {
	h.console.line(">", "%s", h.console.bytes(b))
	return h.inner.OnReceivedBytes(b)
}

func (h *tracedHandler) OnTimerTimeout(t gateway.TimerType) error {
	h.console.note("timer %d ends", t)
	return h.inner.OnTimerTimeout(t)
}

func (h *tracedHandler) OnAlarm(id uint32) error {
	h.console.note("alarm %d", id)
	if a, ok := h.inner.(gateway.AlarmHandler); ok {
		return a.OnAlarm(id)
	}
	return nil
}

func (h *tracedHandler) KeepsState() bool {
	k, ok := h.inner.(gateway.StateKeeper)
	return ok && k.KeepsState()
}

func (h *tracedHandler) OnReceivedMessages(messages []gateway.Message) error {
	for _, m := range messages {
		h.console.note("%s", strings.TrimSpace(fmt.Sprintf("message %q qos=%d %s %v", m.Topic, m.QoS,
			h.console.bytes(m.Payload), m.Properties)))
	}
	return h.inner.OnReceivedMessages(messages)
}

func (h *tracedHandler) OnDrain() error {
	h.console.note("drain")
	if d, ok := h.inner.(gateway.Drainer); ok {
		return d.OnDrain()
	}
	return nil
}

func (h *tracedHandler) OnSocketClosed(reason gateway.CloseReason) error {
	defer close(h.ended)
	h.reason = reason
	h.console.line("-", "closed, %v", reason)
	return h.inner.OnSocketClosed(reason)
}

// answered waits until all calls have been answered.
func (h *tracedHandler) answered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.pending > 0 {
		h.idle.Wait()
	}
}

// busy reports that a call waits for the broker.
func (h *tracedHandler) busy() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pending > 0
}

func (h *tracedHandler) count(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending += n
	h.idle.Broadcast()
}

// failed returns the error of a connection that ended because of the module, or nil.
func (h *tracedHandler) failed() error {
	if h.reason.Code < gateway.ReasonHandlerFailed.Code || h.reason.Code >= gateway.ReasonDiscarded.Code {
		return nil
	}
	return errors.New(h.reason.String())
}
