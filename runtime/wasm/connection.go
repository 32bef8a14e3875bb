package wasm

import (
	"errors"
	"net/netip"
	"runtime"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/source"
	"github.com/exgate/exgate/runtime/gateway"
)

// connection is the handler of one device. It turns the gateway's calls into events of its instance.
type connection struct {
	engine   *Engine
	instance *instance // set by OnSocketCreated; nil if no instance was available
	id       int64
	adapter  gateway.ConnectionAdapter
	source   netip.Prefix // set by OnSocketCreated
	chunk    chunk

	closing bool // the guest can no longer name it; guarded by instance.mu
}

var (
	_ gateway.ConnectionHandler = (*connection)(nil)
	_ gateway.AlarmHandler      = (*connection)(nil)
	_ gateway.Drainer           = (*connection)(nil)
	_ gateway.StateKeeper       = (*connection)(nil)
)

var (
	errNoInstance    = errors.New("the connection has no instance")
	errDeadOnArrival = errors.New("the instance ended before the connection was attached")
)

func (c *connection) OnSocketCreated(info gateway.ConnInfo) error {
	c.engine.stats.connections.Add(1)
	c.source = source.Of(info.Peer)
	c.chunk = newChunk(c.engine.config.Limits.EventBytes, info.SocketType, c.engine.slow)
	for body := appendConnInfo(nil, info); ; {
		in, err := c.engine.place(c)
		if err != nil {
			return err
		}
		if err = in.deliver(c, hostabi.KindCreated, 0, body); !errors.Is(err, errDeadOnArrival) {
			c.instance = in
			return err
		}
		in.pool.leave(in) // try the next instance
	}
}

// deliver runs an event in the connection's instance.
func (c *connection) deliver(kind hostabi.Kind, arg int64, body []byte) error {
	if c.instance == nil {
		return &gateway.HandlerError{Reason: gateway.ReasonHandlerUnavailable, Err: errNoInstance}
	}
	return c.instance.deliver(c, kind, arg, body)
}

func (c *connection) OnReceivedBytes(b []byte) error {
	for len(b) > c.chunk.bytes {
		n := c.chunk.bytes
		if err := c.deliver(kindBytes, 0, b[:n]); err != nil {
			return err
		}
		b = b[n:]
		runtime.Gosched()
	}
	return c.deliver(kindBytes, 0, b)
}

func (c *connection) OnTimerTimeout(t gateway.TimerType) error {
	return c.deliver(hostabi.KindTimer, int64(t), nil)
}

func (c *connection) OnAlarm(id uint32) error {
	return c.deliver(hostabi.KindAlarm, int64(id), nil)
}

func (c *connection) OnReceivedMessages(messages []gateway.Message) error {
	for body := range messageBodies(messages, int(c.engine.config.Limits.EventBytes)) {
		if err := c.deliver(hostabi.KindMessages, 0, body); err != nil {
			return err
		}
	}
	return nil
}

// OnSocketClosed runs the last event, unless the instance has ended.
func (c *connection) OnSocketClosed(reason gateway.CloseReason) error {
	in := c.instance
	if in == nil {
		return nil
	}
	defer in.pool.leave(in)
	return in.deliver(c, hostabi.KindClosed, 0, []byte(reason.Name))
}

func (c *connection) OnDrain() error {
	return c.deliver(hostabi.KindDrain, 0, nil)
}

// wanted returns result, or nil if the guest wants no result.
func (c *connection) wanted(token int64) gateway.Done {
	if token == 0 {
		return nil
	}
	return c.result(token)
}

// KeepsState reports whether the guest can save state.
func (c *connection) KeepsState() bool { return c.engine.keepsState }

// result returns a callback that posts the result of a call as a RESULT event.
func (c *connection) result(token int64) gateway.Done {
	return func(r gateway.Result) { c.post(token, resultBody(r)) }
}

// loggedIn is result for a login: the state of the device comes with it.
func (c *connection) loggedIn(token int64) gateway.Done {
	return func(r gateway.Result) { c.post(token, hostabi.AppendState(resultBody(r), c.adapter.State())) }
}

func resultBody(r gateway.Result) []byte {
	return hostabi.AppendCodeResponse(nil, code(r), bounded(r.Message, maxReasonText))
}

func (c *connection) post(token int64, body []byte) {
	posted := c.adapter.Post(func() error {
		return c.deliver(hostabi.KindResult, token, body)
	})
	if !posted {
		c.engine.metrics.drop(droppedResult)
	}
}

const (
	longCalls = 200     // host calls that make an event long: about a millisecond of publishes
	longFuel  = 500_000 // fuel that makes an event long
	minChunk  = 512     // bytes
)

// chunk is the number of received bytes that a connection hands to its instance in one event. If the events of one
// connection take long, its chunks shrink, so that the other connections of the instance wait for a millisecond and not
// for everything that it sent. Datagrams are never split.
type chunk struct {
	bytes int
	most  int
	fixed bool
}

// newChunk makes the first chunk of a connection: a small one for a slow guest.
func newChunk(most uint32, socket gateway.SocketType, slow bool) chunk {
	c := chunk{bytes: int(most), most: int(most), fixed: socket >= gateway.SocketUDP}
	if slow && !c.fixed {
		c.bytes = min(c.bytes, minChunk)
	}
	return c
}

// adapt adjusts the size after an event with n received bytes, by what the event has cost.
func (t *chunk) adapt(n, calls int, fuel uint64) {
	switch {
	case t.fixed:
	case calls > longCalls || fuel > longFuel:
		t.bytes = max(min(t.bytes, n)/2, min(minChunk, t.most))
	case t.bytes < t.most && n == t.bytes && calls < longCalls/4 && fuel < longFuel/4:
		t.bytes = min(2*t.bytes, t.most)
	}
}
