package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestSpoolFull expects the newest message to be refused when the spool is full, and the stored ones to arrive.
func TestSpoolFull(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newDevices(t, Lasting(b.URL())), "t")
	cfg := Spooled(t, b.URL())
	cfg.Spool.MaxBytesPerDevice = 1000
	c := newDevices(t, cfg)
	s, _ := brokertest.Connect(t, c, "device")
	b.Stop(t)
	AwaitLoss(t, c.broker, lossNetwork, 1)
	kept := 0
	var r gateway.Result
	for ; kept < 100; kept++ {
		if r = connectortest.Publish(t, s, "t", 1, fmt.Sprint(kept)); !r.Ok() {
			break
		}
	}
	if r.Code != gateway.CodeLimit || !strings.Contains(r.Message, "upstream.spool.max_bytes_per_device") || kept < 5 {
		t.Fatalf("after %d messages: %v", kept, r)
	}
	b.Restart(t)
	brokertest.WantNumbers(t, d, 0, kept)
	awaitDrained(t, c, 1)
	if r := connectortest.Publish(t, s, "t", 1, fmt.Sprint(kept)); !r.Ok() {
		t.Fatalf("there is room again: %v", r)
	}
}

// TestSpoolFullOfOthers fills the spool with messages that wait for their device, because the broker denies the gateway
// to publish them. The publishes of another device go to the broker directly, in order, while the broker is there.
func TestSpoolFullOfOthers(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"gateway": "g", "device": "d"}, Dynamic: true})
	b.Deny(t, "gateway", mosquitto.Publish, "t")
	var log gatewaytest.Log
	counts := prometheus.NewRegistry()
	cfg := Spooled(t, b.URL())
	cfg.Username, cfg.Password, cfg.Logger, cfg.Metrics = "gateway", "g", log.Logger(), NewMetrics(counts)
	cfg.Spool.MaxBytes = 5000
	c := newDevices(t, cfg)
	other, _ := brokertest.Login(t, c, "other", "device", "d")
	b.Stop(t)
	AwaitLoss(t, c.broker, lossNetwork, 1)
	for connectortest.Publish(t, other, "t", 1, strings.Repeat("x", 100)).Ok() {
	}
	for connectortest.Publish(t, other, "t", 1, "").Ok() { // what is left of the room
	}
	other.Close()
	b.Restart(t)
	gatewaytest.Eventually(t, "the gateway to be refused", func() bool {
		return strings.Contains(log.String(), "it waits for the device")
	})
	listener, d := brokertest.Login(t, c, "listener", "device", "d")
	if r := connectortest.Subscribe(t, listener, "t", 2); !r.Ok() {
		t.Fatal(r)
	}
	s, _ := brokertest.Login(t, c, "device", "device", "d")
	const n, ahead = 50, 10 // as without a spool, 16 publishes may wait
	calls := make([]*connectortest.Call, n)
	payload := make([]byte, 0, 16)
	for i := range n + ahead {
		if i >= ahead {
			if r := calls[i-ahead].Result(t); !r.Ok() {
				t.Fatalf("publish %d: %v", i-ahead, r)
			}
		}
		if i < n {
			calls[i] = connectortest.NewCall()
			payload = fmt.Append(payload[:0], i) // valid during the call only
			s.Publish("t", byte(1+i%2), payload, nil, calls[i].Done)
			clear(payload)
		}
	}
	brokertest.WantNumbers(t, d, 0, n)
	if got := gatewaytest.Metric(t, counts, "exgate_spool_bypassed_total"); got != n {
		t.Errorf("%v messages bypassed the spool, want %d", got, n)
	}
	b.Stop(t)
	client := s.(*deviceSession).queue.client
	gatewaytest.Eventually(t, "the loss", func() bool { return !client.isConnected() })
	if r := connectortest.Publish(t, s, "t", 1, ""); r.Code != gateway.CodeLimit ||
		!strings.Contains(r.Message, "upstream.spool.max_bytes") {
		t.Errorf("while the broker is away: %v", r)
	}
}

// TestSpoolDropsOldest expects the oldest messages to be dropped and counted if DropOldest is set.
func TestSpoolDropsOldest(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newDevices(t, Lasting(b.URL())), "t")
	counts := prometheus.NewRegistry()
	cfg := Spooled(t, b.URL())
	cfg.Spool.MaxBytesPerDevice, cfg.Spool.DropOldest, cfg.Metrics = 1000, true, NewMetrics(counts)
	c := newDevices(t, cfg)
	s, _ := brokertest.Connect(t, c, "device")
	b.Stop(t)
	AwaitLoss(t, c.broker, lossNetwork, 1)
	const n = 100
	for i := range n {
		brokertest.PublishNumbers(t, s, i, i+1)
	}
	dropped := int(gatewaytest.Metric(t, counts, "exgate_spool_dropped_total", "device_full"))
	if left := s.(*deviceSession).queue.backlog.queue.Len(); dropped == 0 || dropped+left != n {
		t.Fatalf("%d dropped, %d left of %d", dropped, left, n)
	}
	b.Restart(t)
	brokertest.WantNumbers(t, d, dropped, n)
	awaitDrained(t, c, 1)
}

// TestSpoolDrainRate reconnects many devices with a drain rate of one message per hour: only one message of all devices
// may be sent at once.
func TestSpoolDrainRate(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newDevices(t, Lasting(b.URL())), "t")
	cfg := Spooled(t, b.URL())
	cfg.Spool.DrainRate = 1.0 / 3600
	cfg.AckTimeout, cfg.ConnectTimeout = time.Second, time.Second
	c := newDevices(t, cfg)
	const devices, each = 3, 10
	sessions := make([]gateway.Session, devices)
	for i := range sessions {
		sessions[i], _ = brokertest.Connect(t, c, fmt.Sprint("device-", i))
	}
	b.Pause(t) // a message of each device is in flight, which does not count
	for i, s := range sessions {
		brokertest.PublishNumbers(t, s, i*each, i*each+each)
	}
	AwaitLoss(t, c.broker, lossUnanswered, devices)
	b.Resume(t)
	left := 0
	for _, s := range sessions {
		l := s.(*deviceSession).queue
		gatewaytest.Eventually(t, "the rate to hold the device up", func() bool {
			l.client.mu.Lock()
			defer l.client.mu.Unlock()
			return l.drain.waiting && l.publish == nil
		})
		left += l.backlog.queue.Len()
	}
	if want := devices*each - devices - 1; left != want {
		t.Fatalf("%d messages are left, want %d", left, want)
	}
	c.broker.drain.SetLimit(rate.Inf)
	for _, s := range sessions { // the gateway goes on
		s.Close()
	}
	awaitDrained(t, c, 0)
	came := map[string]bool{}
	gatewaytest.Eventually(t, "every message", func() bool {
		for d.Unread() > 0 {
			came[string(d.Next(t).Payload)] = true
		}
		return len(came) == devices*each
	})
}

// TestSpoolOfTwo expects a second connector to wait for the folder of the first, as in an upgrade.
func TestSpoolOfTwo(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newDevices(t, Lasting(b.URL())), "t")
	cfg := Spooled(t, b.URL())
	first := newDevices(t, cfg)
	s, _ := brokertest.Connect(t, first, "device")
	brokertest.PublishNumbers(t, s, 0, 5)
	var log gatewaytest.Log
	cfg.Logger = log.Logger()
	second := newDevices(t, cfg)
	gatewaytest.Eventually(t, "the second to wait", func() bool {
		return strings.Contains(log.String(),
			"waiting for the spool")
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := second.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "other"}}, "",
		connectortest.NewDevice())
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), cfg.Spool.Folder) {
		t.Fatal(err)
	}
	b.Stop(t)
	AwaitLoss(t, first.broker, lossNetwork, 1)
	brokertest.PublishNumbers(t, s, 5, 10)
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Restart(t)
	s, _ = brokertest.Connect(t, second, "device")
	brokertest.PublishNumbers(t, s, 10, 15)
	brokertest.WantNumbers(t, d, 0, 15)
}

// TestSpoolOfTwoGivesUp closes a connector that is still waiting for the folder.
func TestSpoolOfTwoGivesUp(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) { p.ServeAll() })
	cfg := Spooled(t, b.URL())
	if err := newDevices(t, cfg).broker.SpoolOpened(t.Context()); err != nil {
		t.Fatal(err)
	}
	var log gatewaytest.Log
	cfg.Logger = log.Logger()
	second := newDevices(t, cfg)
	if err := second.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "ERROR") {
		t.Fatalf("nothing has failed: %s", log.String())
	}
}
