package client

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/internal/backoff"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestWatchLeavesTheBrokerAlone expects no packets without an account, and no probes while a device is connected.
func TestWatchLeavesTheBrokerAlone(t *testing.T) {
	var sent atomic.Pointer[packets.ControlPacket]
	closed := make(chan struct{})
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		if p.Number == 0 {
			defer close(closed)
			if cp := p.Next(); cp != nil {
				sent.Store(cp)
			}
			return
		}
		p.Accept(false)
		p.ServeAll()
	})
	c := newDevices(t, Quick(b.URL()))
	c.broker.WatchReach()
	if err := c.broker.Reachable(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-closed
	if cp := sent.Load(); cp != nil {
		t.Fatalf("the broker got %s", cp.PacketType())
	}
	brokertest.Connect(t, c, "device")
	if err := c.broker.probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Mu.Lock()
	defer b.Mu.Unlock()
	if n := len(b.Peers); n != 2 {
		t.Fatalf("%d connections", n)
	}
}

// TestRefusedAccountIsReachable counts a broker that refuses the account as reachable, but one that says it is busy as
// down.
func TestRefusedAccountIsReachable(t *testing.T) {
	for reason, up := range map[byte]bool{
		packets.ConnackNotAuthorized: true, packets.ConnackServerBusy: false,
		packets.ConnackServerUnavailable: false,
	} {
		b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
			if p.Next() != nil {
				p.Send(&packets.Connack{Properties: &packets.Properties{}, ReasonCode: reason})
			}
		})
		cfg := Quick(b.URL())
		cfg.Username = "gateway"
		c := newDevices(t, cfg)
		c.broker.WatchReach()
		if err := c.broker.Reachable(t.Context()); (err == nil) != up {
			t.Errorf("0x%02X: %v", reason, err)
		}
	}
}

// TestWatchOfASilentBroker expects a silent broker to count as down before the connection times out.
func TestWatchOfASilentBroker(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) { _, _ = bytes.NewBuffer(nil).ReadFrom(p) })
	cfg := Quick(b.URL())
	cfg.Username, cfg.ConnectTimeout = "gateway", time.Hour
	var log gatewaytest.Log
	cfg.Logger = log.Logger()
	c := newDevices(t, cfg)
	c.broker.WatchReach()
	if err := c.broker.Reachable(t.Context()); err == nil ||
		!strings.Contains(log.String(), "has not answered within 2s") {
		t.Fatalf("%v; logged:\n%s", err, log.String())
	}
}

// TestProbesOfABrokerThatEndsEachConnection expects few probes, however many failures request one, whether the broker
// accepts the connection first or not.
func TestProbesOfABrokerThatEndsEachConnection(t *testing.T) {
	for _, answer := range []error{nil, errors.New("closed before CONNACK")} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			r := newReach()
			go func() {
				for backoff.Sleep(ctx, 100*time.Millisecond) {
					r.checkSoon()
				}
			}()
			asked := 0
			r.follow(ctx, func(context.Context) error { asked++; return answer }, func(error) {})
			if asked < 3 || asked > 6 {
				t.Errorf("%d probes in 30 s where the answer is %v", asked, answer)
			}
			synctest.Wait()
		})
	}
}

// TestProbeSoonAfterALoss does not wait for the next regular probe.
func TestProbeSoonAfterALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, begun, asked := newReach(), time.Now(), 0
		time.AfterFunc(3*time.Second, r.checkSoon)
		r.follow(ctx, func(context.Context) error { asked++; return nil }, func(error) {
			if asked == 2 {
				cancel()
			}
		})
		if d := time.Since(begun); asked != 2 || d != 3*time.Second {
			t.Errorf("%d probes, the last one after %v", asked, d)
		}
	})
}
