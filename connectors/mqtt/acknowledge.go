package mqtt

import (
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/runtime/gateway"

	"github.com/exgate/exgate/connectors/mqtt/wire"
)

// acknowledged ends the publish with PUBACK (QoS 1) or PUBCOMP (QoS 2).
func (c *client) acknowledged(l *link, id uint16, qos, reason byte) {
	c.mu.Lock()
	var told outcomes
	if k := c.inflight[id]; c.link == l && k != nil && k.qos == qos && k.released == (qos == 2) {
		told = c.published(k, reason)
	} else {
		told = l.answeredLate(id, qos, reason)
	}
	c.mu.Unlock()
	told.tell()
}

// published needs mu.
func (c *client) published(k *call, reason byte) (told outcomes) {
	delete(c.inflight, k.id)
	if len(c.inflight) == 0 {
		c.inflight = nil // a map keeps the room that it once needed
	}
	c.quota++
	if k.onTrial {
		told = append(told, c.tried(k, verdict{reason: reason})...)
	}
	if !k.lane.wide {
		c.achieved()
		k.lane.proven = k.lane.proven || reason < 0x80
	}
	if k.stored > 0 {
		told = append(told, k.lane.backlog.answered(k, reason)...)
	} else {
		told.add(k, wire.ResultOf("publish to", k.topic, reason))
	}
	if l := k.lane; l.publish == k {
		l.publish = nil
		if !l.ended {
			told = append(told, l.pump()...)
		}
	}
	return append(told, c.unblock()...)
}

// publishReceived answers PUBREC, with which a QoS 2 publish is refused or goes on.
func (c *client) publishReceived(l *link, id uint16, reason byte) {
	c.mu.Lock()
	k := c.inflight[id]
	if c.link != l || k == nil || k.qos != 2 {
		c.mu.Unlock()
		if reason < 0x80 {
			l.send(&packets.Pubrel{Properties: &packets.Properties{}, PacketID: id, ReasonCode: packets.PubcompPacketIdentifierNotFound})
		}
		return
	}
	var told outcomes
	if reason >= 0x80 {
		told = c.published(k, reason)
	} else {
		k.released = true
		l.release(id)
	}
	c.mu.Unlock()
	told.tell()
}

func (l *link) release(id uint16) {
	l.send(&packets.Pubrel{Properties: &packets.Properties{}, PacketID: id})
}

func (c *client) subscribed(l *link, id uint16, reasons []byte) {
	c.mu.Lock()
	k := c.takeWaiting(l, id, unsubscribing)
	var told outcomes
	switch {
	case k == nil:
	case k.verdict != nil:
		told = c.tried(k, verdict{reason: firstReason(reasons)})
		if firstReason(reasons) < 0x80 {
			c.leaveTrial(k)
		}
	case k.kind == resubscribing:
		if k.onTrial {
			told = c.tried(k, verdict{})
		}
		c.resubscribed(k, reasons)
	default:
		if k.onTrial {
			told = c.tried(k, verdict{})
		}
		if k.from != nil || !k.lane.wide {
			c.achieved()
		}
		r := wire.ResultOf("subscribe to", k.topic, firstReason(reasons))
		if r.Ok() {
			c.remember(filter{k.topic, k.qos, k.subID})
		}
		told.add(k, r)
	}
	told = append(told, c.unblock()...)
	c.mu.Unlock()
	told.tell()
}

func (c *client) unsubscribed(l *link, id uint16, reasons []byte) {
	c.mu.Lock()
	var told outcomes
	if k := c.takeWaiting(l, id, subscribing); k != nil {
		if k.onTrial {
			told = c.tried(k, verdict{reason: firstReason(reasons)})
		}
		r := wire.ResultOf("unsubscribe from", k.topic, firstReason(reasons))
		if r.Ok() {
			delete(c.filters, k.topic)
		}
		told.add(k, r)
		told = append(told, c.unblock()...)
	}
	c.mu.Unlock()
	told.tell()
}

// takeWaiting needs mu. It leaves a call of the other kind: an answer to it is none.
func (c *client) takeWaiting(l *link, id uint16, other callKind) *call {
	k := c.waiting[id]
	if c.link != l || k == nil || k.kind == other {
		return nil
	}
	delete(c.waiting, id)
	if len(c.waiting) == 0 {
		c.waiting = nil
	}
	return k
}

func firstReason(reasons []byte) byte {
	if len(reasons) != 1 { // one filter was in the packet
		return packets.SubackUnspecifiederror
	}
	return reasons[0]
}

// remember needs mu.
func (c *client) remember(f filter) {
	if c.filters == nil {
		c.filters = map[string]filter{}
	}
	c.filters[f.name] = f
}

// resubscribed needs mu.
func (c *client) resubscribed(k *call, reasons []byte) {
	for i, f := range k.filters {
		c.acquitFilter(f.name)
		if i < len(reasons) && reasons[i] < 0x80 {
			continue
		}
		reason := byte(packets.SubackUnspecifiederror)
		if i < len(reasons) {
			reason = reasons[i]
		}
		delete(c.filters, f.name)
		c.broker.metrics.resubscribesRefused.Inc()
		c.broker.log.Warn("the broker refused a subscription after a reconnect",
			"client_id", c.id, "filter", f.name, "reason", wire.ReasonName(reason))
	}
}

// expire ends the calls that the broker did not answer in time, and gives the link up where it was a publish. It needs mu.
func (c *client) expire(now time.Time) (told outcomes) {
	for id, k := range c.waiting {
		if !now.Before(k.deadline) {
			delete(c.waiting, id)
			if k.onTrial {
				told = append(told, c.tried(k, verdict{reason: packets.SubackUnspecifiederror})...)
			}
			if k.kind == resubscribing {
				c.acquitFilter(k.topic)
			}
			told.add(k, gateway.Refuse(gateway.CodeUnknown, "%q: the broker did not answer in time", k.topic))
		}
	}
	if c.link == nil {
		return told
	}
	for _, k := range c.inflight {
		if !k.deadline.IsZero() && !now.Before(k.deadline) {
			c.link.wire.Fail(errNoAck)
			break
		}
	}
	return told
}
