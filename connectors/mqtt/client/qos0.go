package client

import (
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// QoS 0 has no acknowledgement, so a QoS 0 publish counts as unread until the broker answers a PINGREQ sent after it.
// If the connection ends before that, it is evidence against the devices that sent unread publishes: their next ones go
// through the prober. Nothing is sent again.

// written names the sender of a QoS 0 publish that may be unread: a queue or, in ownQueue, a topic.
type written struct {
	queue *PublishQueue
	topic string
}

const (
	// times Config.ReconnectDelay: how long the QoS 0 of a suspicious device goes through the prober; doubles each time
	qos0Hold    = 10
	qos0HoldMax = 600
)

// noteQoS0 must be called with mu held.
func (c *Client) noteQoS0(k *call) {
	switch {
	case c.prober != nil || k.onTrial:
	case c.device != nil:
		c.wrote = 2
	case k.queue.unordered:
		c.written = append(c.written, written{topic: k.topic})
	case k.queue.round != c.round:
		k.queue.round = c.round
		c.written = append(c.written, written{queue: k.queue})
	}
}

// tickQoS0 sends a PINGREQ if QoS 0 publishes may be unread. mu must be held.
func (c *Client) tickQoS0(now time.Time) {
	c.wrote = max(0, c.wrote-1)
	if c.link != nil && c.barrier == 0 && len(c.written) > 0 {
		c.asked, c.written = c.written, nil
		c.round++
		c.barrier = c.link.heartbeat.Ask()
	}
	c.pruneTopicQueues(now)
}

// pong is called for each PINGRESP.
func (c *Client) pong(l *link, n uint32) {
	c.mu.Lock()
	var cb Callbacks
	if c.link == l {
		cb = c.ponged(n)
	}
	c.mu.Unlock()
	cb.Run()
}

// judgeQoS0 counts the end of a connection against the senders of unread QoS 0. mu must be held.
func (c *Client) judgeQoS0(e ending, now time.Time) (cb Callbacks) {
	unread := append(c.asked, c.written...)
	c.asked, c.written, c.barrier = nil, nil, 0
	c.round++
	w := e.weight()
	if c.device != nil {
		return c.judgeOwnQoS0(e, now)
	}
	if w == 0 {
		return nil
	}
	for _, each := range unread {
		l := each.queue
		if l == nil {
			l = c.topicQueue(each.topic)
		}
		if l.ended || now.Equal(l.endedAt) {
			continue
		}
		if now.Sub(l.endedAt) > forgetEnds {
			l.ends = 0
		}
		l.ends, l.endedAt = l.ends+w, now
		if l.ends >= suspectAt {
			times := qos0HoldMax
			if n := l.ends/suspectAt - 1; n < 6 {
				times = qos0Hold << n
			}
			l.divert(time.Duration(times) * c.broker.cfg.ReconnectDelay)
			cb = append(cb, l.pump()...)
		}
	}
	return cb
}

// judgeOwnQoS0 closes a device whose own connection the broker has ended repeatedly right after QoS 0. mu must be held.
func (c *Client) judgeOwnQoS0(e ending, now time.Time) (cb Callbacks) {
	wrote := c.wrote > 0
	c.wrote = 0
	if e.reason == 0 || !wrote || c.isTrying() || len(c.inflight) > 0 {
		return nil
	}
	if now.Sub(c.qos0At) > forgetEnds {
		c.qos0Ends = 0
	}
	c.qos0At = now
	if c.qos0Ends++; c.qos0Ends < offencesUntilBan {
		return nil
	}
	c.qos0Ends = 0
	c.broker.metrics.convicted.WithLabelValues(publishing.String()).Inc()
	for range offencesUntilBan {
		c.broker.offenders.add(c.id, now, c.broker.cfg.ReconnectDelay)
	}
	cb.Then(func() {
		go c.owner.Lost(gateway.ReasonUpstreamRefused.With("the broker ended %d connections after QoS 0 messages: %v",
			offencesUntilBan, e))
	})
	return cb
}
