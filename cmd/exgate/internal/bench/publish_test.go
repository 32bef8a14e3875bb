package bench

import (
	"context"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt"
)

const (
	publishGuest = "testdata/publish.wasm"
	topic        = "bench/t"
)

// BenchmarkPublish: device -> module -> paho -> mosquitto -> subscriber, 64 B at QoS 0. The goal is 0.7 of what paho
// alone publishes there.
func BenchmarkPublish(b *testing.B) {
	broker := mosquitto.Start(b, mosquitto.Options{Config: []string{
		"max_queued_messages 0",
		"max_inflight_messages 0",
	}})
	arrived := subscribe(b, broker.URL())
	connector, err := mqtt.New(mqtt.Config{URL: broker.URL(), Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	device := connect(b, serve(b, wasmEngine(b, publishGuest), connector), 1)[0]
	alone := dialPaho(b, broker.URL(), "alone", nil)
	var reference, measured []float64
	n := max(1000, b.N/rounds)
	b.ResetTimer()
	for range rounds {
		reference = append(reference, arrived.rate(b, n, func() { publishAlone(b, alone, n) }))
		measured = append(measured, arrived.rate(b, n, func() { writeFrames(b, device, n) }))
	}
	b.ReportMetric(median(reference), "paho/s")
	b.ReportMetric(median(measured), "exgate/s")
	b.ReportMetric(median(measured)/median(reference), "ratio")
}

func publishAlone(b *testing.B, c *paho.Client, n int) {
	payload := make([]byte, 64)
	for range n {
		if _, err := c.Publish(context.Background(), &paho.Publish{Topic: topic, Payload: payload}); err != nil {
			b.Error(err)
			return
		}
	}
}

func writeFrames(b *testing.B, c net.Conn, n int) {
	chunk := make([]byte, 64*64)
	for n > 0 {
		k := min(n, 64)
		if _, err := c.Write(chunk[:64*k]); err != nil {
			b.Error(err)
			return
		}
		n -= k
	}
}

// counter counts the messages that a subscriber got.
type counter struct{ n atomic.Int64 }

func subscribe(b *testing.B, url string) *counter {
	b.Helper()
	k := &counter{}
	c := dialPaho(b, url, "subscriber", func(paho.PublishReceived) (bool, error) { k.n.Add(1); return true, nil })
	if _, err := c.Subscribe(context.Background(),
		&paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: topic}}}); err != nil {
		b.Fatal(err)
	}
	return k
}

// rate runs publish, which publishes n messages, and returns how many a second arrived.
func (k *counter) rate(b *testing.B, n int, publish func()) float64 {
	b.Helper()
	k.n.Store(0)
	start := time.Now()
	publish()
	for deadline := start.Add(time.Minute); k.n.Load() < int64(n); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d messages arrived", k.n.Load(), n)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

func dialPaho(b *testing.B, addr, id string, received func(paho.PublishReceived) (bool, error)) *paho.Client {
	b.Helper()
	u, err := url.Parse(addr)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		b.Fatal(err)
	}
	cfg := paho.ClientConfig{Conn: conn}
	if received != nil {
		cfg.OnPublishReceived = []func(paho.PublishReceived) (bool, error){received}
	}
	c := paho.NewClient(cfg)
	if _, err := c.Connect(context.Background(), &paho.Connect{
		ClientID: id, CleanStart: true,
		KeepAlive: 60,
	}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Disconnect(&paho.Disconnect{}) })
	return c
}
