package mqtt

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/exgate/exgate/connectors/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// Session is a device's session at the broker. It outlives its connection: what waits for an acknowledgement then waits for the next one.
type Session struct {
	connector *Connector
	client    gateway.ClientInfo
	password  string
	down      gateway.Downlink

	mu       sync.Mutex
	ended    bool                // guarded by mu, as all below
	link     *link               // nil while the connection is lost
	queue    calls               // in order; not sent yet
	publish  *call               // of QoS 1 or 2, sent and not acknowledged. One at a time, or a resend could change the order
	waiting  map[uint16]*call    // SUBSCRIBE and UNSUBSCRIBE by packet id, sent and not acknowledged
	filters  []filter            // what the broker has acknowledged
	received map[uint16]struct{} // ids of QoS 2 messages that the device has and the broker has not released
	lastID   uint16
	losses   []time.Time // the last few
	stop     context.CancelFunc
}

type filter struct {
	name string
	qos  byte
}

var _ gateway.Session = (*Session)(nil)

var (
	gone   = gateway.Refuse(gateway.CodeConnProcessNotAlive, "the session has ended")
	isDown = gateway.Refuse(gateway.CodeUnknown, "the broker cannot be reached: the QoS 0 message is dropped")
	isFull = gateway.Refuse(gateway.CodeLimit, "too many calls wait for the broker")
)

// Publish implements [gateway.Session]. While the connection is lost, QoS 0 is refused and QoS 1 and 2 wait.
func (s *Session) Publish(name string, qos byte, payload []byte, done gateway.Done) {
	if err := topic.CheckName(name); err != nil {
		finish(done, gateway.Refuse(gateway.CodeParamsTypeError, "%v", err))
		return
	}
	s.submit(call{kind: publishing, topic: name, qos: qos, payload: payload, done: done})
}

// Subscribe implements [gateway.Session].
func (s *Session) Subscribe(filter string, qos byte, done gateway.Done) {
	if err := topic.CheckFilter(filter); err != nil {
		finish(done, gateway.Refuse(gateway.CodeParamsTypeError, "%v", err))
		return
	}
	s.submit(call{kind: subscribing, topic: filter, qos: qos, done: done})
}

// Unsubscribe implements [gateway.Session].
func (s *Session) Unsubscribe(filter string, done gateway.Done) {
	if err := topic.CheckFilter(filter); err != nil {
		finish(done, gateway.Refuse(gateway.CodeParamsTypeError, "%v", err))
		return
	}
	s.submit(call{kind: unsubscribing, topic: filter, done: done})
}

func (s *Session) submit(c call) {
	if c.qos > 2 {
		finish(c.done, gateway.Refuse(gateway.CodeParamsTypeError, "QoS %d does not exist", c.qos))
		return
	}
	s.mu.Lock()
	r, finished := s.accept(c)
	s.mu.Unlock()
	if finished {
		finish(c.done, r)
	}
}

// accept sends the call or queues it, and reports whether it is finished with that. It needs mu.
func (s *Session) accept(c call) (r gateway.Result, finished bool) {
	switch {
	case s.ended:
		return gone, true
	case s.link == nil && c.isQoS0():
		s.connector.metrics.dropped.WithLabelValues(dropDown).Inc()
		return isDown, true
	case s.canSend(&c):
		if c.isQoS0() {
			return s.sendQoS0(&c), true
		}
		return s.send(c.keep())
	case !s.queue.push(c.keep()):
		return isFull, true
	}
	return gateway.OK, false
}

// canSend reports whether c may overtake nothing and has room. It needs mu.
func (s *Session) canSend(c *call) bool {
	return s.link != nil && s.queue.empty() && s.mayFollow(c) && s.link.wire.hasRoom()
}

func (s *Session) mayFollow(c *call) bool {
	return s.publish == nil || c.kind != publishing || c.qos == 0
}

// pump sends what waits, as far as it can, and returns the calls that are finished with that. It needs mu.
func (s *Session) pump() (told outcomes) {
	for s.link != nil && !s.queue.empty() && s.mayFollow(s.queue.first()) && s.link.wire.hasRoom() {
		c := s.queue.pop()
		if c.isQoS0() {
			told.add(c, s.sendQoS0(c))
		} else if r, finished := s.send(c); finished {
			told.add(c, r)
		}
	}
	return told
}

// drained is called when the wire has room again.
func (s *Session) drained() {
	s.mu.Lock()
	told := s.pump()
	s.mu.Unlock()
	told.tell()
}

// Close implements [gateway.Session].
func (s *Session) Close() { s.leave() }

// leave ends the session at the broker too. It returns false where it had ended before.
func (s *Session) leave() bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	l := s.link
	told := s.end(gone)
	s.mu.Unlock()
	if l != nil {
		l.disconnect(s.connector.cfg.SessionExpiry > 0)
	}
	told.tell()
	return true
}

// end leaves the session without a link and with every call finished. It needs mu.
func (s *Session) end(r gateway.Result) (told outcomes) {
	s.ended, s.link = true, nil
	if s.stop != nil {
		s.stop()
	}
	if s.publish != nil {
		told.add(s.publish, r)
	}
	for _, c := range s.waiting {
		told.add(c, r)
	}
	for !s.queue.empty() {
		told.add(s.queue.pop(), r)
	}
	s.publish, s.waiting, s.filters, s.received, s.password = nil, nil, nil, nil, ""
	s.connector.sessionEnded(s)
	return told
}

// keep copies what is the caller's.
func (c call) keep() *call {
	c.payload = bytes.Clone(c.payload)
	return &c
}

func finish(done gateway.Done, r gateway.Result) {
	if done != nil {
		done(r)
	}
}
