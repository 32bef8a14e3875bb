package wasm

import (
	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/runtime/gateway"
)

// connection is the handler of one device: it turns calls into events of its instance.
type connection struct {
	instance *instance
	id       int64
	adapter  gateway.ConnectionAdapter

	closing bool // guarded by instance.mu: the guest can no longer name it
}

var (
	_ gateway.ConnectionHandler = (*connection)(nil)
	_ gateway.Drainer           = (*connection)(nil)
)

func (c *connection) OnSocketCreated(info gateway.ConnInfo) error {
	return c.instance.deliver(c, hostabi.KindCreated, 0, appendConnInfo(nil, info))
}

func (c *connection) OnReceivedBytes(b []byte) error {
	limit := int(c.instance.limits.EventBytes)
	for len(b) > limit {
		if err := c.instance.deliver(c, kindBytes, 0, b[:limit]); err != nil {
			return err
		}
		b = b[limit:]
	}
	return c.instance.deliver(c, kindBytes, 0, b)
}

func (c *connection) OnTimerTimeout(t gateway.TimerType) error {
	return c.instance.deliver(c, hostabi.KindTimer, int64(t), nil)
}

func (c *connection) OnReceivedMessages(messages []gateway.Message) error {
	for body := range messageBodies(messages, int(c.instance.limits.EventBytes)) {
		if err := c.instance.deliver(c, hostabi.KindMessages, 0, body); err != nil {
			return err
		}
	}
	return nil
}

// OnSocketClosed tells the guest, unless its instance is gone.
func (c *connection) OnSocketClosed(reason gateway.CloseReason) error {
	defer c.instance.attached.Add(-1)
	return c.instance.deliver(c, hostabi.KindClosed, 0, []byte(reason.Name))
}

func (c *connection) OnDrain() error {
	return c.instance.deliver(c, hostabi.KindDrain, 0, nil)
}

// wanted is result, or nil where the guest wants none.
func (c *connection) wanted(token int64) gateway.Done {
	if token == 0 {
		return nil
	}
	return c.result(token)
}

// result makes a RESULT event of a call's outcome.
func (c *connection) result(token int64) gateway.Done {
	return func(r gateway.Result) {
		body := hostabi.AppendCodeResponse(nil, code(r), bounded(r.Message, maxReasonText))
		posted := c.adapter.Post(func() error {
			return c.instance.deliver(c, hostabi.KindResult, token, body)
		})
		if !posted {
			c.instance.engine.metrics.drop(droppedResult, 1)
		}
	}
}
