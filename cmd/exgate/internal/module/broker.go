package module

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// broker is a test double of an MQTT broker. It accepts every client, and delivers publishes to subscribers before it
// returns the result to the publisher.
type broker struct {
	refuse map[string]bool // calls to refuse

	mu       sync.Mutex // guards the fields below
	sessions map[*brokerSession]bool
	lastID   int
}

var _ gateway.Connector = (*broker)(nil)

func newBroker(refuse []string) *broker {
	b := &broker{refuse: make(map[string]bool), sessions: make(map[*brokerSession]bool)}
	for _, call := range refuse {
		b.refuse[call] = true
	}
	return b
}

// outcome returns the result of a call.
func (b *broker) outcome(call string) gateway.Result {
	if b.refuse[call] {
		return gateway.Refuse(gateway.CodePermissionDeny, "refused by --refuse %s", call)
	}
	return gateway.OK
}

func (b *broker) Connect(
	_ context.Context, device gateway.Device, _ string, down gateway.Downlink,
) (gateway.Session, error) {
	if r := b.outcome("authenticate"); !r.Ok() {
		return nil, &gateway.ResultError{Result: r}
	}
	s := &brokerSession{broker: b, clientID: device.ClientID, down: down, filters: make(map[string]byte)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions[s] = true
	return s, nil
}

func (b *broker) Close(context.Context) error { return nil }

// publish delivers a message and returns the number of sessions that received it.
func (b *broker) publish(topic string, qos byte, payload []byte, props *gateway.Properties) (taken int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lastID++
	for s := range b.sessions {
		if !s.wants(topic) {
			continue
		}
		taken++
		s.down.Deliver(gateway.Message{
			Node: "module-run", ID: fmt.Sprint(b.lastID), QoS: qos, Topic: topic, Payload: append([]byte(nil),
				payload...), Timestamp: time.Now(), Properties: props.Forwarded(),
		})
	}
	return taken
}

// brokerSession is one client of the broker.
type brokerSession struct {
	broker   *broker
	clientID string
	down     gateway.Downlink
	filters  map[string]byte // guarded by broker.mu
}

var _ gateway.Session = (*brokerSession)(nil)

func (s *brokerSession) wants(topic string) bool {
	for filter := range s.filters {
		if matches(filter, topic) {
			return true
		}
	}
	return false
}

func (s *brokerSession) Publish(topic string, qos byte, payload []byte, props *gateway.Properties, done gateway.Done) {
	r := s.broker.outcome("publish")
	if r.Ok() {
		s.broker.publish(topic, qos, payload, props)
	}
	done(r)
}

func (s *brokerSession) Subscribe(filter string, qos byte, done gateway.Done) {
	r := s.broker.outcome("subscribe")
	if r.Ok() {
		s.change(func() { s.filters[filter] = qos })
	}
	done(r)
}

func (s *brokerSession) Unsubscribe(filter string, done gateway.Done) {
	r := s.broker.outcome("unsubscribe")
	if r.Ok() {
		s.change(func() { delete(s.filters, filter) })
	}
	done(r)
}

func (s *brokerSession) Close() {
	s.change(func() { delete(s.broker.sessions, s) })
}

func (s *brokerSession) change(do func()) {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	do()
}

// matches reports whether an MQTT filter matches a topic: + matches one level, a final # all remaining levels, and
// neither matches a first level that begins with $.
func matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (filter[0] == '+' || filter[0] == '#') {
		return false
	}
	levels := strings.Split(topic, "/")
	for i, want := range strings.Split(filter, "/") {
		switch {
		case want == "#":
			return true
		case i >= len(levels) || want != "+" && want != levels[i]:
			return false
		}
	}
	return len(levels) == strings.Count(filter, "/")+1
}
