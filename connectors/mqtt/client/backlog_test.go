package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestSpoolLeftOnItsWayToTheDisk closes sessions before their messages are on disk.
func TestSpoolLeftOnItsWayToTheDisk(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newDevices(t, Lasting(b.URL())), "t")
	c := newDevices(t, Spooled(t, b.URL()))
	const each = 5
	for round := range 20 { // from the second round on, the gateway client is connected
		s, _ := brokertest.Connect(t, c, "device")
		calls := make([]*connectortest.Call, each)
		for i := range calls {
			calls[i] = connectortest.NewCall()
			s.Publish("t", 1, []byte(strconv.Itoa(round*each+i)), nil, calls[i].Done)
		}
		s.Close()
		for _, call := range calls {
			if r := call.Result(t); !r.Ok() {
				t.Fatal(r)
			}
		}
		awaitDrained(t, c, 0)
	}
	brokertest.WantNumbers(t, d, 0, 20*each)
}

// TestSpoolDeviceKeepsItsTurn makes the gateway client start on a backlog whose device is connected again.
func TestSpoolDeviceKeepsItsTurn(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newDevices(t, Lasting(b.URL())), "t")
	c := newDevices(t, Spooled(t, b.URL()))
	s, _ := brokertest.Connect(t, c, "device")
	c.broker.publishLeftover("device")
	brokertest.PublishNumbers(t, s, 0, 5)
	brokertest.WantNumbers(t, d, 0, 5)
	awaitDrained(t, c, 1)
}

// TestSpoolTurnGoesToTheLast enters two queues while a third is active: the last one takes over, and each leaves once.
func TestSpoolTurnGoesToTheLast(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		if p.Accept(false) != nil {
			p.ServeAll()
		}
	})
	c := newDevices(t, Spooled(t, b.URL()))
	s, _ := brokertest.Connect(t, c, "device")
	client := s.(*deviceSession).client
	g := s.(*deviceSession).queue.backlog
	lanes := [2]PublishQueue{{client: client, backlog: g}, {client: client, backlog: g}}
	var cb Callbacks
	client.mu.Lock()
	for i := range lanes {
		g.use()
		cb = append(cb, g.enter(&lanes[i])...)
	}
	client.mu.Unlock()
	cb.Run()
	g.leave(&lanes[0])
	client.mu.Lock()
	first, last := lanes[0].ended, lanes[1].active && !lanes[1].ended
	client.mu.Unlock()
	if !first || !last || g.users != 1 {
		t.Fatalf("the first has ended: %v, the last is active: %v, users: %d", first, last, g.users)
	}
	ended := lanes[1].Close()
	ended.Run()
	awaitDrained(t, c, 0)
}

// TestSpoolTurnPassesWhileGatewayIsAway loses the gateway client's connection with a spooled message in flight. The
// gateway client cannot reconnect, but the device can.
func TestSpoolTurnPassesWhileGatewayIsAway(t *testing.T) {
	var refuse atomic.Bool
	arrived := make(chan string, 100)
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		own := p.AcceptUnless(&refuse)
		for cp := p.Next(); cp != nil; cp = p.Next() {
			c, ok := cp.Content.(*packets.Publish)
			switch {
			case !ok:
			case own: // never answer
				refuse.Store(true)
				return
			default:
				arrived <- string(c.Payload)
				p.Puback(c.PacketID, 0)
			}
		}
	})
	c := newDevices(t, Spooled(t, b.URL()))
	leaveNumbers(t, c, "device", 3)
	gatewaytest.Eventually(t, "the gateway to lose its connection", refuse.Load)
	brokertest.Connect(t, c, "device")
	for i := range 3 {
		if got := <-arrived; got != strconv.Itoa(i) {
			t.Fatalf("got %s, want %d", got, i)
		}
	}
}

// leaveNumbers stores n publishes in the spool for a device without a session.
func leaveNumbers(t *testing.T, c *deviceConnector, id string, n int) {
	t.Helper()
	if err := c.broker.SpoolOpened(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		done := connectortest.NewCall()
		c.broker.backlogOf(id).append(call{
			kind: publishing, topic: "t", qos: 1, payload: []byte(strconv.Itoa(i)),
			done: done.Done,
		})
		if r := done.Result(t); !r.Ok() {
			t.Fatal(r)
		}
	}
}

// TestSpoolLateAnswer closes a session with a message in flight and logs the device in again before the broker answers:
// the message must not be sent twice.
func TestSpoolLateAnswer(t *testing.T) {
	back := make(chan struct{})
	got := make(chan *packets.Publish, 10)
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Accept(false)
		if p.Number > 0 {
			for cp := p.Next(); cp != nil; cp = p.Next() {
				if c, ok := cp.Content.(*packets.Publish); ok {
					got <- c
					p.Puback(c.PacketID, 0)
				}
			}
			return
		}
		first := p.Next().Content.(*packets.Publish)
		got <- first
		p.Next() // DISCONNECT
		<-back
		p.Puback(first.PacketID, 0)
	})
	c := newDevices(t, Spooled(t, b.URL()))
	s, _ := brokertest.Connect(t, c, "device")
	brokertest.PublishNumbers(t, s, 0, 1) // even numbers have QoS 1
	next(t, got, "0")
	brokertest.PublishNumbers(t, s, 2, 3)
	s.Close()
	s, _ = brokertest.Connect(t, c, "device")
	if r := connectortest.Publish(t, s, "t", 0, "QoS 0 does not wait"); !r.Ok() {
		t.Fatal(r)
	}
	next(t, got, "QoS 0 does not wait")
	close(back)
	next(t, got, "2")
	awaitDrained(t, c, 1)
}

// restless is a device that keeps publishing numbers while it logs in and out, or logs in again.
type restless struct {
	id        string
	connector *deviceConnector
	rng       *rand.Rand
	next      int

	mu           sync.Mutex
	acknowledged []int // guarded by mu
}

// run publishes the numbers below n.
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
			s.Publish(r.id, byte(1+r.rng.IntN(2)), []byte(strconv.Itoa(number)),
				nil, func(result gateway.Result) { r.told(t, number, result) })
		}
		switch r.rng.IntN(4) {
		case 0: // the next login takes over
		case 1:
			CutClient(s.(*deviceSession).client)
		default:
			s.Close()
		}
	}
	s.Close()
}

// login retries while the broker is down.
func (r *restless) login(t *testing.T) gateway.Session {
	ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
	defer cancel()
	for {
		s, err := r.connector.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: r.id}}, "",
			connectortest.NewDevice())
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
		gatewaytest.Eventually(t, fmt.Sprintf("message %d of %s", n, r.id),
			func() bool { return has(fmt.Sprint(r.id, " ", n)) })
	}
}

// arrivals collects the numbers of each device, in the order of their first arrival.
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

// TestSpoolOrder logs devices in and out under load, with a broker that restarts meanwhile: every acknowledged message
// must arrive, in order.
func TestSpoolOrder(t *testing.T) {
	devices, each := 6, 1500
	if testing.Short() {
		devices, each = 3, 300
	}
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newDevices(t, Lasting(b.URL())), "+")
	c := newDevices(t, Spooled(t, b.URL()))
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
