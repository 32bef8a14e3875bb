package chaos

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

const topicPrefix = "chaos/"

func topicOf(device int) string { return topicPrefix + strconv.Itoa(device) }

// ledger is what has arrived at the broker, as a subscriber sees it.
type ledger struct {
	mu     sync.Mutex
	pages  []page   // of each device; guarded by mu, as below
	wrong  []string // what never may be
	copies int      // that devices or the gateway sent of messages that had arrived
}

// page is what arrived of one device.
type page struct {
	next    int // the lowest number that has not arrived
	last    int // that arrived
	rewinds int // times that a number came which is not above the one before
}

func newLedger(devices int) *ledger {
	l := &ledger{pages: make([]page, devices)}
	for i := range l.pages {
		l.pages[i].last = -1
	}
	return l
}

func (l *ledger) enter(m *paho.Publish) {
	device, err := strconv.Atoi(strings.TrimPrefix(m.Topic, topicPrefix))
	text, _, _ := strings.Cut(string(m.Payload), " ")
	number, err2 := strconv.Atoi(text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || err2 != nil || device >= len(l.pages) {
		l.wrong = append(l.wrong, fmt.Sprintf("%s %q was never sent", m.Topic, m.Payload))
		return
	}
	// or else it is the way from the broker to the subscriber that was cut
	if p := &l.pages[device]; !m.Duplicate() || number >= p.next {
		l.number(p, device, number)
	}
}

// number needs mu.
func (l *ledger) number(p *page, device, number int) {
	switch {
	case number == p.next:
		p.next++
	case number < p.next:
		l.copies++
	default:
		l.wrong = append(l.wrong, fmt.Sprintf("device %d: message %d came before message %d", device, number, p.next))
		p.next = number + 1
	}
	if number <= p.last {
		p.rewinds++
	}
	p.last = number
}

// arrived is how many messages have arrived at least once.
func (l *ledger) arrived() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pages {
		n += p.next
	}
	return n
}

// devices is of how many devices something has arrived.
func (l *ledger) devices() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pages {
		if p.next > 0 {
			n++
		}
	}
	return n
}

// missing logs of which devices less has arrived than was acknowledged to them.
func (l *ledger) missing(t *testing.T, acknowledged []int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, p := range l.pages {
		if p.next < acknowledged[i] {
			t.Logf("device %d: %d messages of %d have arrived", i, p.next, acknowledged[i])
		}
	}
}

// check waits for n messages and wants those of each device in order, with no more rewinds than its way was cut. It
// returns the number of copies.
func (l *ledger) check(t *testing.T, n, cuts int) (copies int) {
	t.Helper()
	gatewaytest.Eventually(t, fmt.Sprintf("%d messages", n), func() bool { return l.arrived() >= n })
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, what := range l.wrong {
		t.Error(what)
	}
	for i, p := range l.pages {
		if p.rewinds > cuts {
			t.Errorf("device %d: messages came again %d times after %d cuts", i, p.rewinds, cuts)
		}
	}
	return l.copies
}
