package handlertest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// recorder is a factory that records the events and calls of its handlers.
type recorder struct {
	factory gateway.HandlerFactory
	trace   *trace
}

var _ gateway.HandlerFactory = (*recorder)(nil)

func (r *recorder) NewHandler(conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	c := r.trace.open()
	h, err := r.factory.NewHandler(&recordedAdapter{ConnectionAdapter: conn, trace: c})
	if err != nil {
		c.add("refused: %v", err)
		return nil, err
	}
	return &recordedHandler{handler: h, trace: c}, nil
}

func (r *recorder) Close(ctx context.Context) error { return r.factory.Close(ctx) }

// recordedHandler records events.
type recordedHandler struct {
	handler gateway.ConnectionHandler
	trace   *connTrace
}

var (
	_ gateway.ConnectionHandler = (*recordedHandler)(nil)
	_ gateway.AlarmHandler      = (*recordedHandler)(nil)
	_ gateway.StateKeeper       = (*recordedHandler)(nil)
	_ gateway.Drainer           = (*recordedHandler)(nil)
)

// failed records an error of the handler. No scenario expects one.
func (h *recordedHandler) failed(err error) error {
	if err != nil {
		h.trace.add("the handler failed: %v", err)
	}
	return err
}

func (h *recordedHandler) OnSocketCreated(info gateway.ConnInfo) error {
	h.trace.add("> created, socket type %d", info.SocketType)
	return h.failed(h.handler.OnSocketCreated(info))
}

func (h *recordedHandler) OnReceivedBytes(b []byte) error {
	h.trace.add("> bytes %s", withoutPassword(b))
	return h.failed(h.handler.OnReceivedBytes(b))
}

func (h *recordedHandler) OnTimerTimeout(t gateway.TimerType) error {
	h.trace.add("> timer %d", t)
	return h.failed(h.handler.OnTimerTimeout(t))
}

func (h *recordedHandler) OnAlarm(id uint32) error {
	h.trace.add("> alarm %d", id)
	a, ok := h.handler.(gateway.AlarmHandler)
	if !ok {
		return h.failed(errors.New("it has no OnAlarm"))
	}
	return h.failed(a.OnAlarm(id))
}

func (h *recordedHandler) KeepsState() bool {
	k, ok := h.handler.(gateway.StateKeeper)
	return ok && k.KeepsState()
}

func (h *recordedHandler) OnReceivedMessages(messages []gateway.Message) error {
	for _, m := range messages {
		h.trace.add("%s", strings.TrimSpace(fmt.Sprintf("> message %q qos %d %q %v", m.Topic, m.QoS, m.Payload,
			m.Properties)))
	}
	return h.failed(h.handler.OnReceivedMessages(messages))
}

func (h *recordedHandler) OnSocketClosed(reason gateway.CloseReason) error {
	err := h.failed(h.handler.OnSocketClosed(reason))
	h.trace.add("> closed %s", reason.Name)
	return err
}

func (h *recordedHandler) OnDrain() error {
	if d, ok := h.handler.(gateway.Drainer); ok {
		return h.failed(d.OnDrain())
	}
	return nil
}

// recordedAdapter records calls with their results, except for Pause, Resume and Post.
type recordedAdapter struct {
	gateway.ConnectionAdapter
	trace *connTrace
}

func (a *recordedAdapter) Send(b []byte) gateway.Result {
	r := a.ConnectionAdapter.Send(b)
	a.trace.add("< send %s: %v", inOneLine(b), r.Code)
	return r
}

func (a *recordedAdapter) Close(reason gateway.CloseReason) gateway.Result {
	r := a.ConnectionAdapter.Close(reason)
	a.trace.add("< close %s: %v", reason.Name, r.Code)
	return r
}

func (a *recordedAdapter) StartTimer(t gateway.TimerType, seconds uint32) gateway.Result {
	r := a.ConnectionAdapter.StartTimer(t, seconds)
	a.trace.add("< start timer %d, %d s: %v", t, seconds, r.Code)
	return r
}

func (a *recordedAdapter) SetTimer(id uint32, ms int32) gateway.Result {
	r := a.ConnectionAdapter.SetTimer(id, ms)
	a.trace.add("< set timer %d, %d ms: %v", id, ms, r.Code)
	return r
}

func (a *recordedAdapter) Authenticate(client gateway.ClientInfo, password string, done gateway.Done) gateway.Result {
	add := a.result("< authenticate %+v", client)
	return add.refused(a.ConnectionAdapter.Authenticate(client, password, add.before(done)))
}

func (a *recordedAdapter) SaveState(value []byte, done gateway.Done) gateway.Result {
	add := a.result("< save state %q", value)
	return add.refused(a.ConnectionAdapter.SaveState(value, add.before(done)))
}

func (a *recordedAdapter) Publish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result {
	add := a.result("< publish %q qos %d %q", topic, qos, payload)
	return add.refused(a.ConnectionAdapter.Publish(topic, qos, payload, add.before(done)))
}

func (a *recordedAdapter) PublishWith(topic string, qos uint32, payload []byte, props *gateway.Properties,
	done gateway.Done,
) gateway.Result {
	add := a.result("%s", strings.TrimSpace(fmt.Sprintf("< publish %q qos %d %q %v", topic, qos, payload, props)))
	return add.refused(a.ConnectionAdapter.PublishWith(topic, qos, payload, props, add.before(done)))
}

func (a *recordedAdapter) Subscribe(filter string, qos uint32, done gateway.Done) gateway.Result {
	add := a.result("< subscribe %q qos %d", filter, qos)
	return add.refused(a.ConnectionAdapter.Subscribe(filter, qos, add.before(done)))
}

func (a *recordedAdapter) Unsubscribe(filter string, done gateway.Done) gateway.Result {
	add := a.result("< unsubscribe %q", filter)
	return add.refused(a.ConnectionAdapter.Unsubscribe(filter, add.before(done)))
}
