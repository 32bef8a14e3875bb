package mqtt

import (
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"
)

// message hands a message to the device. The payload is paho's copy.
func (s *Session) message(p *paho.Publish) {
	s.client.mu.Lock()
	ended := s.ended
	s.client.mu.Unlock()
	switch {
	case ended:
		return
	case s.broker.isControl(p.Topic):
		s.broker.metrics.dropped.WithLabelValues(dropDenied).Inc()
		return
	}
	s.broker.deliver(s.down, p, p.QoS, p.Payload)
}

// deliver queues a message for a device.
func (b *broker) deliver(down gateway.Downlink, p *paho.Publish, qos byte, payload []byte) {
	b.metrics.received.Inc()
	ok := down.Deliver(gateway.Message{ID: b.ids.Next(), QoS: qos, Topic: p.Topic, Payload: payload, Timestamp: time.Now()})
	if !ok {
		b.metrics.dropped.WithLabelValues(dropDeviceFull).Inc()
	}
}

// receive reports whether a message of QoS 2 is new.
func (c *client) receive(id uint16) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, again := c.received[id]; again {
		return false
	}
	if c.received == nil {
		c.received = map[uint16]struct{}{}
	}
	c.received[id] = struct{}{}
	return true
}

// released ends a message of QoS 2: its id may mean another one now.
func (c *client) released(id uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.received, id)
	if len(c.received) == 0 {
		c.received = nil
	}
}

// forgetReceived is for a broker that has lost the session: it uses the ids anew.
func (c *client) forgetReceived() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = nil
}
