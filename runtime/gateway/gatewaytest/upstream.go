package gatewaytest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Upstream is a broker in memory that a test controls: it refuses passwords, denies topics, and can keep what is
// published until Flow, so that the result of a publish always comes before the message that it causes.
type Upstream struct {
	// Refuse reports whether a login with password is refused. If nil, none is.
	Refuse func(password string) bool
	// Hold keeps messages until Flow. If false, they are delivered at once.
	Hold bool

	mu       sync.Mutex // guards the fields below
	denied   map[string]bool
	sessions map[*session]struct{}
	held     []gateway.Message
	messages int
}

var _ gateway.Connector = (*Upstream)(nil)

// NewUpstream creates an upstream without clients.
func NewUpstream() *Upstream {
	return &Upstream{denied: make(map[string]bool), sessions: make(map[*session]struct{})}
}

// Connect opens a session.
func (u *Upstream) Connect(_ context.Context, device gateway.Device, password string,
	down gateway.Downlink,
) (gateway.Session, error) {
	if u.Refuse != nil && u.Refuse(password) {
		return nil, &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny, "bad password for %s",
			device.ClientID)}
	}
	s := &session{upstream: u, down: down, filters: make(map[string]bool)}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sessions[s] = struct{}{}
	return s, nil
}

// Close does nothing.
func (u *Upstream) Close(context.Context) error { return nil }

// Deny refuses publishes and subscriptions of a topic, mountpoint included.
func (u *Upstream) Deny(topic string) { u.set(topic, true) }

// Allow ends Deny.
func (u *Upstream) Allow(topic string) { u.set(topic, false) }

func (u *Upstream) set(topic string, denied bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.denied[topic] = denied
}

// Flow delivers the oldest message that is held and describes it. It returns "" if none is.
func (u *Upstream) Flow() string {
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
	text := fmt.Sprintf("%s qos %d %s", m.Topic, m.QoS, m.Payload)
	if m.Properties != nil {
		text += " " + m.Properties.String()
	}
	return text
}

// session is one client's.
type session struct {
	upstream *Upstream
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
func (s *session) Publish(topic string, qos byte, payload []byte, props *gateway.Properties, done gateway.Done) {
	m := gateway.Message{
		Topic: topic, QoS: qos, Payload: append([]byte(nil), payload...), Timestamp: time.Now(),
		Properties: props.Forwarded(),
	}
	r := s.answer(topic, func() {
		s.upstream.messages++
		m.ID = fmt.Sprint(s.upstream.messages)
		s.upstream.held = append(s.upstream.held, m)
	})
	if !s.upstream.Hold && r.Ok() {
		s.upstream.Flow()
	}
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

// offer delivers m if a filter matches: the topic itself, or a prefix of it followed by '#'.
func (s *session) offer(m gateway.Message) {
	s.upstream.mu.Lock()
	matched := false
	for filter := range s.filters {
		prefix, wild := strings.CutSuffix(filter, "#")
		matched = matched || filter == m.Topic || wild && strings.HasPrefix(m.Topic, prefix)
	}
	s.upstream.mu.Unlock()
	if matched {
		m.Payload, m.Properties = append([]byte(nil), m.Payload...), m.Properties.Forwarded()
		s.down.Deliver(m)
	}
}
