package mqtt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// restless is a device that logs in and out, or in again, all the time and publishes numbers meanwhile.
type restless struct {
	id        string
	connector *Connector
	rng       *rand.Rand
	next      int

	mu           sync.Mutex
	acknowledged []int // guarded by mu
}

// run publishes n numbers.
func (r *restless) run(t *testing.T, n int) {
	var s gateway.Session
	for r.next < n {
		s = r.login(t)
		if s == nil {
			return
		}
		for range r.rng.IntN(30) {
			number := r.next
			r.next++
			s.Publish(r.id, byte(1+r.rng.IntN(2)), []byte(strconv.Itoa(number)), func(result gateway.Result) { r.told(t, number, result) })
		}
		switch r.rng.IntN(4) {
		case 0: // the next login takes over
		case 1:
			cut(s)
		default:
			s.Close()
		}
	}
	s.Close()
}

// login tries again where the broker is away.
func (r *restless) login(t *testing.T) gateway.Session {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		s, err := r.connector.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: r.id}}, "", connectortest.NewDevice())
		if err == nil {
			return s
		}
		if ctx.Err() != nil {
			t.Errorf("%s: %v", r.id, err)
			return nil
		}
	}
}

func (r *restless) told(t *testing.T, number int, result gateway.Result) {
	switch {
	case result.Ok():
		r.mu.Lock()
		r.acknowledged = append(r.acknowledged, number)
		r.mu.Unlock()
	case result.Code != gateway.CodeConnProcessNotAlive:
		t.Errorf("%s: publish %d: %v", r.id, number, result)
	}
}

func (r *restless) wantAcknowledged(t *testing.T, has func(name string) bool) {
	t.Helper()
	if len(r.acknowledged) == 0 {
		t.Fatalf("%s: nothing was acknowledged", r.id)
	}
	for _, n := range r.acknowledged {
		gatewaytest.Eventually(t, fmt.Sprintf("message %d of %s", n, r.id), func() bool { return has(fmt.Sprint(r.id, " ", n)) })
	}
}

// cut ends the connection under a session, as a cable that is pulled.
func cut(s gateway.Session) {
	c := &s.(*Session).client
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		_ = l.wire.Conn.Close()
	}
}

// arrivals are the numbers of each device in the order in which they came first.
func arrivals(t *testing.T, d *connectortest.Device, into map[string][]int, seen map[string]bool) {
	t.Helper()
	for d.Unread() > 0 {
		m := d.Next(t)
		name := m.Topic + " " + string(m.Payload)
		if seen[name] {
			continue
		}
		seen[name] = true
		n, err := strconv.Atoi(string(m.Payload))
		if err != nil {
			t.Fatal(err)
		}
		if had := into[m.Topic]; len(had) > 0 && n < had[len(had)-1] {
			t.Fatalf("%s: %d comes after %d", m.Topic, n, had[len(had)-1])
		}
		into[m.Topic] = append(into[m.Topic], n)
	}
}

// TestSpoolOrder has devices log in and out under load, with a broker that goes away amid it: what was acknowledged arrives, and nothing overtakes.
func TestSpoolOrder(t *testing.T) {
	devices, each := 6, 1500
	if testing.Short() {
		devices, each = 3, 300
	}
	b := mosquitto.Start(t, mosquitto.Options{})
	d := listen(t, b.URL(), "+")
	c := newConnector(t, spooled(t, b.URL()))
	var all []*restless
	var running sync.WaitGroup
	for i := range devices {
		r := &restless{id: fmt.Sprint("device-", i), connector: c, rng: rand.New(rand.NewPCG(uint64(i), 1))}
		all = append(all, r)
		running.Go(func() { r.run(t, each) })
	}
	gatewaytest.Eventually(t, "half of a device's messages", func() bool {
		all[0].mu.Lock()
		defer all[0].mu.Unlock()
		return len(all[0].acknowledged) > each/4
	})
	b.Stop(t)
	b.Restart(t)
	running.Wait()
	awaitDrained(t, c, 0)
	came, seen := map[string][]int{}, map[string]bool{}
	for _, r := range all {
		r.wantAcknowledged(t, func(name string) bool {
			arrivals(t, d, came, seen)
			return seen[name]
		})
	}
}
