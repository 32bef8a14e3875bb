package remote_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
)

// journal records lines for tests to compare. As a writer it takes the output of a slog handler.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = nil
}

func (j *journal) Write(b []byte) (int, error) {
	j.add("%s", strings.TrimSpace(string(b)))
	return len(b), nil
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// device is a ConnectionAdapter that records its calls and answers each with the same result. pending holds back the
// results of calls that wait for the broker.
type device struct {
	gateway.NullAdapter
	journal
	id      string
	state   string // returned by State
	result  gateway.Result
	settled gateway.Result
	pending bool
	sent    chan []byte
	waiting chan gateway.Done
}

func newDevice(id string) *device {
	return &device{id: id, sent: make(chan []byte, 16), waiting: make(chan gateway.Done, 16)}
}

func (d *device) ID() string { return d.id }

func (d *device) Send(b []byte) gateway.Result {
	d.add("Send %d", len(b))
	if d.result.Ok() {
		d.sent <- append([]byte(nil), b...)
	}
	return d.result
}

func (d *device) Close(r gateway.CloseReason) gateway.Result {
	d.add("Close %s", r)
	return d.result
}

func (d *device) SetTimer(id uint32, ms int32) gateway.Result {
	d.add("SetTimer %d %d", id, ms)
	return d.result
}

func (d *device) State() []byte { return []byte(d.state) }

func (d *device) SaveState(value []byte, done gateway.Done) gateway.Result {
	d.add("SaveState %q", value)
	return d.ask(done)
}

func (d *device) StartTimer(t gateway.TimerType, seconds uint32) gateway.Result {
	d.add("StartTimer %d %d", t, seconds)
	return d.result
}

func (d *device) Authenticate(c gateway.ClientInfo, password string, done gateway.Done) gateway.Result {
	d.add("Authenticate %+v %s", c, password)
	return d.ask(done)
}

func (d *device) Publish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result {
	d.add("Publish %s %d %s", topic, qos, payload)
	return d.ask(done)
}

func (d *device) PublishWith(topic string, qos uint32, payload []byte, props *gateway.Properties,
	done gateway.Done,
) gateway.Result {
	d.add("PublishWith %s %d %s %v", topic, qos, payload, props)
	return d.ask(done)
}

func (d *device) Subscribe(filter string, qos uint32, done gateway.Done) gateway.Result {
	d.add("Subscribe %s %d", filter, qos)
	return d.ask(done)
}

func (d *device) Unsubscribe(filter string, done gateway.Done) gateway.Result {
	d.add("Unsubscribe %s", filter)
	return d.ask(done)
}

func (d *device) RawPublish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result {
	d.add("RawPublish %s %d %s", topic, qos, payload)
	return d.ask(done)
}

func (d *device) ask(done gateway.Done) gateway.Result {
	switch {
	case !d.result.Ok():
	case d.pending:
		d.waiting <- done
	default:
		go done(d.settled)
	}
	return d.result
}

// script is a handler's service. It records each callback and then calls on, if set.
type script struct {
	exproto.UnimplementedConnectionUnaryHandlerServer
	journal
	on func(ctx context.Context, event any) error
}

func (s *script) event(ctx context.Context, e any, format string, args ...any) (*exproto.EmptySuccess, error) {
	s.add(format, args...)
	if s.on != nil {
		if err := s.on(ctx, e); err != nil {
			return nil, err
		}
	}
	return &exproto.EmptySuccess{}, nil
}

func (s *script) OnSocketCreated(ctx context.Context, r *exproto.SocketCreatedRequest) (*exproto.EmptySuccess, error) {
	i := r.GetConninfo()
	return s.event(ctx, r, "created %s %s %s:%d %s:%d cn=%q dn=%q", r.GetConn(), i.GetSocktype(),
		i.GetPeername().GetHost(), i.GetPeername().GetPort(),
		i.GetSockname().GetHost(), i.GetSockname().GetPort(), i.GetPeercert().GetCn(), i.GetPeercert().GetDn())
}

func (s *script) OnReceivedBytes(ctx context.Context, r *exproto.ReceivedBytesRequest) (*exproto.EmptySuccess, error) {
	return s.event(ctx, r, "bytes %s %q", r.GetConn(), r.GetBytes())
}

func (s *script) OnTimerTimeout(ctx context.Context, r *exproto.TimerTimeoutRequest) (*exproto.EmptySuccess, error) {
	return s.event(ctx, r, "timer %s %s", r.GetConn(), r.GetType())
}

func (s *script) OnReceivedMessages(
	ctx context.Context, r *exproto.ReceivedMessagesRequest,
) (*exproto.EmptySuccess, error) {
	var all []string
	for _, m := range r.GetMessages() {
		all = append(all,
			fmt.Sprintf("%s %s %d %s %s %s %d", m.GetNode(), m.GetId(), m.GetQos(), m.GetFrom(), m.GetTopic(),
				m.GetPayload(), m.GetTimestamp()))
	}
	return s.event(ctx, r, "messages %s [%s]", r.GetConn(), strings.Join(all, ", "))
}

func (s *script) OnSocketClosed(ctx context.Context, r *exproto.SocketClosedRequest) (*exproto.EmptySuccess, error) {
	return s.event(ctx, r, "closed %s %s", r.GetConn(), r.GetReason())
}
