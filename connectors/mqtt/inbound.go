package mqtt

import (
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"
)

// deliver hands a message to the device. The payload is paho's copy.
func (s *Session) deliver(p *paho.Publish) {
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	if ended {
		return
	}
	s.connector.metrics.received.Inc()
	ok := s.down.Deliver(gateway.Message{
		ID: s.connector.ids.Next(), QoS: p.QoS, Topic: p.Topic, Payload: p.Payload, Timestamp: time.Now(),
	})
	if !ok {
		s.connector.metrics.dropped.WithLabelValues(dropDeviceFull).Inc()
	}
}

// receive reports whether a message of QoS 2 is new.
func (s *Session) receive(id uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.received[id]; again {
		return false
	}
	if s.received == nil {
		s.received = map[uint16]struct{}{}
	}
	s.received[id] = struct{}{}
	return true
}

// released ends a message of QoS 2: its id may mean another one now.
func (s *Session) released(id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.received, id)
	if len(s.received) == 0 {
		s.received = nil
	}
}

// forgetReceived is for a broker that has lost the session: it uses the ids anew.
func (s *Session) forgetReceived() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = nil
}
