package tap

import "github.com/exgate/exgate/runtime/gateway"

// handler records the events of one connection.
type handler struct {
	*tapped
	inner  gateway.ConnectionHandler
	digest string
}

var (
	_ gateway.ConnectionHandler = (*handler)(nil)
	_ gateway.AlarmHandler      = (*handler)(nil)
	_ gateway.Drainer           = (*handler)(nil)
	_ gateway.StateKeeper       = (*handler)(nil)
	_ Versioned                 = (*handler)(nil)
)

// Digest returns the version of the handler.
func (h *handler) Digest() string { return h.digest }

func (h *handler) OnSocketCreated(info gateway.ConnInfo) error {
	return h.event(&Record{Kind: Created, Info: info, Digest: h.digest},
		func() error { return h.inner.OnSocketCreated(info) })
}

func (h *handler) OnReceivedBytes(b []byte) error {
	return h.event(&Record{Kind: Bytes, Data: b}, func() error { return h.inner.OnReceivedBytes(b) })
}

func (h *handler) OnTimerTimeout(t gateway.TimerType) error {
	return h.event(&Record{Kind: Timer, Timer: t}, func() error { return h.inner.OnTimerTimeout(t) })
}

func (h *handler) OnAlarm(id uint32) error {
	return h.event(&Record{Kind: Alarm, Alarm: id}, func() error {
		if a, ok := h.inner.(gateway.AlarmHandler); ok {
			return a.OnAlarm(id)
		}
		return nil
	})
}

func (h *handler) KeepsState() bool {
	k, ok := h.inner.(gateway.StateKeeper)
	return ok && k.KeepsState()
}

func (h *handler) OnReceivedMessages(messages []gateway.Message) error {
	return h.event(&Record{Kind: Messages, Messages: messages},
		func() error { return h.inner.OnReceivedMessages(messages) })
}

func (h *handler) OnSocketClosed(reason gateway.CloseReason) error {
	defer h.end()
	return h.event(&Record{Kind: Closed, Reason: reason}, func() error { return h.inner.OnSocketClosed(reason) })
}

func (h *handler) OnDrain() error {
	return h.event(&Record{Kind: Drain}, func() error {
		if d, ok := h.inner.(gateway.Drainer); ok {
			return d.OnDrain()
		}
		return nil
	})
}
