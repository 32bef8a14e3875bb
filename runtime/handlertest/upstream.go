package handlertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Secret is a part of every password of the suite. It may appear in no log, and in nothing that a handler in a process of its own prints.
const Secret = "xyzzy"

// The upstream refuses wrongPassword.
const (
	rightPassword = Secret + "-right"
	wrongPassword = Secret + "-wrong"
)

// upstream is a broker in memory that does as the test says: it denies topics, and keeps what is published until flow. So the
// answer to a publish and the message that comes back of it always have the same order.
type upstream struct {
	mu       sync.Mutex
	denied   map[string]bool
	sessions map[*session]struct{}
	held     []gateway.Message
	messages int
}

var _ gateway.Connector = (*upstream)(nil)

func newUpstream() *upstream {
	return &upstream{denied: make(map[string]bool), sessions: make(map[*session]struct{})}
}

// Connect refuses one password.
func (u *upstream) Connect(_ context.Context, device gateway.Device, password string, down gateway.Downlink) (gateway.Session, error) {
	if password == wrongPassword {
		return nil, &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny, "bad password for %s", device.ClientID)}
	}
	s := &session{upstream: u, down: down, filters: make(map[string]bool)}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sessions[s] = struct{}{}
	return s, nil
}

// Close has nothing to free.
func (u *upstream) Close(context.Context) error { return nil }

// deny refuses publishes and subscriptions of a topic as the upstream sees it; allow lets them pass again.
func (u *upstream) deny(topic string)  { u.set(topic, true) }
func (u *upstream) allow(topic string) { u.set(topic, false) }

func (u *upstream) set(topic string, denied bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.denied[topic] = denied
}

// flow delivers the oldest message that was published and not delivered, and returns it as the upstream saw it; empty where there is none.
func (u *upstream) flow() string {
	u.mu.Lock()
	if len(u.held) == 0 {
		u.mu.Unlock()
		return ""
	}
	m := u.held[0]
	u.held = u.held[1:]
	var sessions []*session
	for s := range u.sessions {
		sessions = append(sessions, s)
	}
	u.mu.Unlock()
	for _, s := range sessions {
		s.offer(m)
	}
	return fmt.Sprintf("%s qos %d %s", m.Topic, m.QoS, m.Payload)
}

// session is one client's.
type session struct {
	upstream *upstream
	down     gateway.Downlink
	filters  map[string]bool // guarded by upstream.mu
}

var _ gateway.Session = (*session)(nil)

func (s *session) answer(topic string, do func()) gateway.Result {
	s.upstream.mu.Lock()
	defer s.upstream.mu.Unlock()
	if s.upstream.denied[topic] {
		return gateway.Refuse(gateway.CodePermissionDeny, "%s is denied", topic)
	}
	do()
	return gateway.OK
}

// Publish answers QoS 0 before it returns and the others later, on another goroutine, as upstreams do.
func (s *session) Publish(topic string, qos byte, payload []byte, done gateway.Done) {
	m := gateway.Message{Topic: topic, QoS: qos, Payload: append([]byte(nil), payload...), Timestamp: time.Now()}
	r := s.answer(topic, func() {
		s.upstream.messages++
		m.ID = fmt.Sprint(s.upstream.messages)
		s.upstream.held = append(s.upstream.held, m)
	})
	if qos == 0 {
		done(r)
		return
	}
	go done(r)
}

func (s *session) Subscribe(filter string, _ byte, done gateway.Done) {
	r := s.answer(filter, func() { s.filters[filter] = true })
	go done(r)
}

func (s *session) Unsubscribe(filter string, done gateway.Done) {
	r := s.answer(filter, func() { delete(s.filters, filter) })
	go done(r)
}

func (s *session) Close() {
	s.upstream.mu.Lock()
	defer s.upstream.mu.Unlock()
	delete(s.upstream.sessions, s)
}

// offer delivers m where a filter matches: the same topic, or a prefix of it before the '#'.
func (s *session) offer(m gateway.Message) {
	s.upstream.mu.Lock()
	matched := false
	for filter := range s.filters {
		prefix, wild := strings.CutSuffix(filter, "#")
		matched = matched || filter == m.Topic || wild && strings.HasPrefix(m.Topic, prefix)
	}
	s.upstream.mu.Unlock()
	if matched {
		m.Payload = append([]byte(nil), m.Payload...)
		s.down.Deliver(m)
	}
}
