package mqtt

import (
	"sync/atomic"

	"github.com/exgate/exgate/runtime/gateway"
)

// Session is a device's own session at the broker: an MQTT client with one lane.
type Session struct {
	client
	connector *Connector
	down      gateway.Downlink
	props     []byte // properties of each publish
	lane      lane
	over      atomic.Bool
}

var (
	_ gateway.Session = (*Session)(nil)
	_ owner           = (*Session)(nil)
)

// Publish implements [gateway.Session]. Without a spool, QoS 1 and 2 wait while the connection is lost. QoS 0 is refused then.
func (s *Session) Publish(name string, qos byte, payload []byte, done gateway.Done) {
	if s.broker.isControl(name) {
		finish(done, controlRefused("publishing to", name))
		return
	}
	s.lane.publishOrStore(call{kind: publishing, topic: name, qos: qos, payload: payload, props: s.props, done: done, lane: &s.lane})
}

// Subscribe implements [gateway.Session].
func (s *Session) Subscribe(filter string, qos byte, done gateway.Done) {
	if s.broker.isControl(filter) {
		finish(done, controlRefused("subscribing to", filter))
		return
	}
	s.submit(call{kind: subscribing, topic: filter, qos: qos, done: done, lane: &s.lane})
}

// Unsubscribe implements [gateway.Session].
func (s *Session) Unsubscribe(filter string, done gateway.Done) {
	s.submit(call{kind: unsubscribing, topic: filter, done: done, lane: &s.lane})
}

// Close implements [gateway.Session].
func (s *Session) Close() { s.end() }

// end reports false where the session had ended before.
func (s *Session) end() bool {
	if !s.over.CompareAndSwap(false, true) {
		return false
	}
	told := s.lane.close()
	s.leave()
	s.connector.sessionEnded(s)
	told.tell()
	return true
}

// lose ends the session for a reason that is not the device's own.
func (s *Session) lose(reason gateway.CloseReason) {
	if s.end() {
		s.down.SessionLost(reason)
	}
}

// lost is called when the client has ended by itself.
func (s *Session) lost(reason gateway.CloseReason) { s.lose(reason) }

func (s *Session) resuming(bool)  {}
func (s *Session) connected(bool) {}
