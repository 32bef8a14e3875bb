package mqtt

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// spooled is the configuration of tests with a spool of their own.
func spooled(t *testing.T, url string) Config {
	t.Helper()
	cfg := quick(url)
	cfg.Spool.Folder = t.TempDir()
	return cfg
}

// listen subscribes, and keeps its session at the broker over a restart.
func listen(t *testing.T, url, filter string) *connectortest.Device {
	t.Helper()
	cfg := quick(url)
	cfg.SessionExpiry = lostSessionExpiry
	s, d := connect(t, newConnector(t, cfg), "listener")
	if r := connectortest.Subscribe(t, s, filter, 1); !r.Ok() {
		t.Fatal(r)
	}
	return d
}

// publishNumbers publishes numbers with QoS 1 and 2 in turn, and wants each of them kept.
func publishNumbers(t *testing.T, s gateway.Session, from, to int) {
	t.Helper()
	calls := make([]*connectortest.Call, 0, to-from)
	for i := from; i < to; i++ {
		c := connectortest.NewCall()
		s.Publish("t", byte(1+i%2), []byte(strconv.Itoa(i)), c.Done)
		calls = append(calls, c)
	}
	for i, c := range calls {
		if r := c.Result(t); !r.Ok() {
			t.Fatalf("publish %d: %v", from+i, r)
		}
	}
}

// wantNumbers wants the numbers, in the order of their first arrivals.
func wantNumbers(t *testing.T, d *connectortest.Device, from, to int) {
	t.Helper()
	for next := from; next < to; {
		i, err := strconv.Atoi(string(d.Next(t).Payload))
		switch {
		case err != nil || i > next:
			t.Fatalf("got %d, want %d: something is missing or has overtaken it", i, next)
		case i == next:
			next++
		}
	}
}

func awaitLoss(t *testing.T, c *Connector, reason string, n float64) {
	t.Helper()
	gatewaytest.Eventually(t, "the loss to be noticed", func() bool { return testutil.ToFloat64(c.metrics.losses.WithLabelValues(reason)) >= n })
}

// awaitDrained waits until nothing is left in the spool and nobody uses it beside n sessions.
func awaitDrained(t *testing.T, c *Connector, n int) {
	t.Helper()
	gatewaytest.Eventually(t, "the spool to be empty", func() bool {
		c.broker.mu.Lock()
		users := 0
		for _, g := range c.backlogs {
			users += g.users
		}
		c.broker.mu.Unlock()
		return users == n && len(c.spool.spool.Left()) == 0
	})
}

// TestSpoolWhileDown takes the broker away: publishes succeed, and arrive in order when it is back.
func TestSpoolWhileDown(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := listen(t, b.URL(), "t")
	c := newConnector(t, spooled(t, b.URL()))
	s, own := connect(t, c, "device")
	publishNumbers(t, s, 0, 10)
	b.Stop(t)
	awaitLoss(t, c, lossNetwork, 1)
	publishNumbers(t, s, 10, 200)
	if r := connectortest.Publish(t, s, "t", 0, "x"); r.Code != gateway.CodeUnknown {
		t.Fatalf("QoS 0 is not for the spool: %v", r)
	}
	b.Restart(t)
	publishNumbers(t, s, 200, 210)
	wantNumbers(t, d, 0, 210)
	awaitDrained(t, c, 1)
	if own.Losses() != 0 {
		t.Fatal("the session was lost")
	}
}

// TestSpoolWhilePaused loses the connection with a publish under way, which the broker may have taken.
func TestSpoolWhilePaused(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := listen(t, b.URL(), "t")
	cfg := spooled(t, b.URL())
	cfg.AckTimeout, cfg.ConnectTimeout = time.Second, time.Second
	c := newConnector(t, cfg)
	s, _ := connect(t, c, "device")
	publishNumbers(t, s, 0, 10)
	b.Pause(t)
	publishNumbers(t, s, 10, 100)
	awaitLoss(t, c, lossUnanswered, 1)
	publishNumbers(t, s, 100, 110)
	b.Resume(t)
	publishNumbers(t, s, 110, 120)
	wantNumbers(t, d, 0, 120)
	awaitDrained(t, c, 1)
}

// TestSpoolLeftByDevice has the gateway's own account publish what a device left.
func TestSpoolLeftByDevice(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := listen(t, b.URL(), "t")
	c := newConnector(t, spooled(t, b.URL()))
	s, _ := connect(t, c, "device")
	b.Stop(t)
	awaitLoss(t, c, lossNetwork, 1)
	publishNumbers(t, s, 0, 100)
	s.Close()
	b.Restart(t)
	wantNumbers(t, d, 0, 100)
	awaitDrained(t, c, 0)
}

// TestSpoolLeftByGateway opens the folder of a connector that was closed with a full spool.
func TestSpoolLeftByGateway(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := listen(t, b.URL(), "t")
	cfg := spooled(t, b.URL())
	c := newConnector(t, cfg)
	s, _ := connect(t, c, "device")
	b.Stop(t)
	awaitLoss(t, c, lossNetwork, 1)
	publishNumbers(t, s, 0, 100)
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Restart(t)
	c = newConnector(t, cfg)
	wantNumbers(t, d, 0, 100)
	awaitDrained(t, c, 0)
}

// TestSpoolWaitsForDevice refuses the gateway's own account: what a device left waits for the device.
func TestSpoolWaitsForDevice(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"gateway": "g", "device": "d"}, Dynamic: true})
	b.Deny(t, "gateway", mosquitto.Publish, "t")
	var log gatewaytest.Log
	cfg := spooled(t, b.URL())
	cfg.Username, cfg.Password, cfg.Logger = "gateway", "g", log.Logger()
	c := newConnector(t, cfg)
	s, _ := login(t, c, "device", "device", "d")
	b.Stop(t)
	awaitLoss(t, c, lossNetwork, 1)
	publishNumbers(t, s, 0, 20)
	s.Close()
	b.Restart(t)
	gatewaytest.Eventually(t, "the gateway to be refused", func() bool { return strings.Contains(log.String(), "it waits for the device") })
	if left := c.spool.spool.Left(); len(left) != 1 {
		t.Fatalf("%v are left", left)
	}
	listener, d := login(t, c, "listener", "device", "d")
	if r := connectortest.Subscribe(t, listener, "t", 1); !r.Ok() {
		t.Fatal(r)
	}
	s, _ = login(t, c, "device", "device", "d")
	publishNumbers(t, s, 20, 30)
	wantNumbers(t, d, 0, 30)
	awaitDrained(t, c, 2)
}
