package shared

import (
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/runtime/gateway"
)

// probeTimeout bounds a probe.
const probeTimeout = 5 * time.Second

// splitMode is what the broker sends to a client with several matching subscriptions: a copy for each (mosquitto,
// EMQX), or one copy with several Subscription Identifiers (HiveMQ, mochi). MQTT 5, section 3.3.4, allows both, and
// CONNACK does not say which. A probe finds out: two overlapping subscriptions, a message that matches both, and one
// that matches only one.
type splitMode struct {
	once  sync.Once
	known chan struct{} // closed when the first probe has ended

	mu     sync.Mutex
	topic  string // topic of the probe in flight; guarded by mu, like all fields below
	asked  int    // number of probes
	copies int
	split  bool // the broker sends a copy for each; false until known, since duplicates are preferred to loss
}

// merges reports whether the broker may send a single copy.
func (m *splitMode) merges() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.split
}

func (m *splitMode) find(own *client.Client, topic string) {
	m.mu.Lock()
	m.asked++
	m.topic, m.copies = topic, 0
	asked := m.asked
	m.mu.Unlock()
	done := func(r gateway.Result) {
		if !r.Ok() {
			m.giveUp(asked)
		}
	}
	own.Subscribe(topic+"/+", 0, 1, done)
	own.Subscribe(topic+"/#", 0, 2, done)
	own.Publish(topic+"/x", 0, nil, nil)
	own.Publish(topic, 0, nil, done)
	time.AfterFunc(probeTimeout, func() { m.giveUp(asked) })
}

// heard counts the copies of the first message until the second arrives.
func (m *splitMode) heard(p *paho.Publish) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.topic == "" || !strings.HasPrefix(p.Topic, m.topic):
	case p.Topic != m.topic:
		m.copies++
	case m.copies > 0:
		m.split = m.copies > 1
		m.topic = ""
		m.once.Do(func() { close(m.known) })
	}
}

// giveUp ends a probe without an answer, unless another probe is in flight.
func (m *splitMode) giveUp(asked int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.topic != "" && m.asked == asked {
		m.topic = ""
		m.once.Do(func() { close(m.known) })
	}
}
