package mqtt

import (
	"slices"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/runtime/gateway"
)

// acknowledged ends the publish with PUBACK (QoS 1) or PUBCOMP (QoS 2).
func (s *Session) acknowledged(l *link, id uint16, qos, reason byte) {
	s.mu.Lock()
	var told outcomes
	if c := s.publish; s.link == l && c != nil && c.id == id && c.qos == qos && c.released == (qos == 2) {
		told = s.published(c, reason)
	}
	s.mu.Unlock()
	told.tell()
}

// published needs mu.
func (s *Session) published(c *call, reason byte) (told outcomes) {
	s.publish = nil
	told.add(c, resultOf("publish to", c.topic, reason))
	return append(told, s.pump()...)
}

// publishReceived answers PUBREC, with which a QoS 2 publish is refused or goes on.
func (s *Session) publishReceived(l *link, id uint16, reason byte) {
	s.mu.Lock()
	c := s.publish
	if s.link != l || c == nil || c.id != id || c.qos != 2 {
		s.mu.Unlock()
		if reason < 0x80 {
			l.send(&packets.Pubrel{Properties: &packets.Properties{}, PacketID: id, ReasonCode: packets.PubcompPacketIdentifierNotFound})
		}
		return
	}
	var told outcomes
	if reason >= 0x80 {
		told = s.published(c, reason)
	} else {
		c.released = true
		l.release(id)
	}
	s.mu.Unlock()
	told.tell()
}

func (l *link) release(id uint16) {
	l.send(&packets.Pubrel{Properties: &packets.Properties{}, PacketID: id})
}

func (s *Session) subscribed(l *link, id uint16, reasons []byte) {
	s.mu.Lock()
	c := s.takeWaiting(l, id, unsubscribing)
	var told outcomes
	switch {
	case c == nil:
	case c.kind == resubscribing:
		s.resubscribed(c, reasons)
	default:
		r := resultOf("subscribe to", c.topic, firstReason(reasons))
		if r.Ok() {
			s.remember(c.topic, c.qos)
		}
		told.add(c, r)
	}
	s.mu.Unlock()
	told.tell()
}

func (s *Session) unsubscribed(l *link, id uint16, reasons []byte) {
	s.mu.Lock()
	var told outcomes
	if c := s.takeWaiting(l, id, subscribing); c != nil {
		r := resultOf("unsubscribe from", c.topic, firstReason(reasons))
		if r.Ok() {
			s.forget(c.topic)
		}
		told.add(c, r)
	}
	s.mu.Unlock()
	told.tell()
}

// takeWaiting needs mu. It leaves a call of the other kind: an answer to it is none.
func (s *Session) takeWaiting(l *link, id uint16, other callKind) *call {
	c := s.waiting[id]
	if s.link != l || c == nil || c.kind == other {
		return nil
	}
	delete(s.waiting, id)
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
	return c
}

func firstReason(reasons []byte) byte {
	if len(reasons) == 0 {
		return packets.SubackUnspecifiederror
	}
	return reasons[0]
}

func (s *Session) remember(name string, qos byte) {
	s.forget(name)
	s.filters = append(s.filters, filter{name, qos})
}

func (s *Session) forget(name string) {
	s.filters = slices.DeleteFunc(s.filters, func(f filter) bool { return f.name == name })
}

// resubscribed needs mu.
func (s *Session) resubscribed(c *call, reasons []byte) {
	for i, f := range c.filters {
		if i < len(reasons) && reasons[i] < 0x80 {
			continue
		}
		reason := byte(packets.SubackUnspecifiederror)
		if i < len(reasons) {
			reason = reasons[i]
		}
		s.forget(f.name)
		s.connector.metrics.resubscribesRefused.Inc()
		s.connector.log.Warn("the broker refused a subscription after a reconnect",
			"client_id", s.client.ClientID, "filter", f.name, "reason", reasonName(reason))
	}
}

// expire ends the calls that the broker did not answer in time, and gives the link up where it was a publish. It needs mu.
func (s *Session) expire(now time.Time) (told outcomes) {
	for id, c := range s.waiting {
		if !now.Before(c.deadline) {
			delete(s.waiting, id)
			told.add(c, gateway.Refuse(gateway.CodeUnknown, "%q: the broker did not answer in time", c.topic))
		}
	}
	if c := s.publish; c != nil && s.link != nil && !now.Before(c.deadline) {
		s.link.wire.fail(errNoAck)
	}
	return told
}
