package mqtt

import (
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"
)

// splitMode is what the broker sends to a client of which several subscriptions match: a copy for each (mosquitto, EMQX), or a single one with several
// Subscription Identifiers (HiveMQ, mochi). Both are MQTT 5, section 3.3.4, and nothing in CONNACK tells. It is found out with two subscriptions
// that overlap and a message to them, followed by one that only one of them matches.
type splitMode struct {
	once  sync.Once
	known chan struct{} // closed when it was found out once, or could not be

	mu     sync.Mutex
	topic  string // of the question under way; empty: none; guarded by mu, as below
	asked  int    // questions so far
	copies int
	split  bool // a copy for each comes; until that is known, it is not relied on: a device may rather get a message twice than never
}

// merges reports whether a single copy may come.
func (m *splitMode) merges() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.split
}

func (m *splitMode) find(house *client, topic string) {
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
	submit := func(k call) {
		k.lane = &house.house
		house.submit(k)
	}
	for i, filter := range []string{topic + "/+", topic + "/#"} {
		id := uint32(i + 1)
		if house.knowsNoSubIDs() {
			id = 0
		}
		submit(call{kind: subscribing, topic: filter, subID: id, done: done})
	}
	submit(call{kind: publishing, topic: topic + "/x"})
	submit(call{kind: publishing, topic: topic, done: done})
	time.AfterFunc(probeTimeout, func() { m.giveUp(asked) })
}

// heard counts the copies of the first message until the second comes.
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

// giveUp goes on with what was known before, unless the question is answered or another one is under way.
func (m *splitMode) giveUp(asked int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.topic != "" && m.asked == asked {
		m.topic = ""
		m.once.Do(func() { close(m.known) })
	}
}
