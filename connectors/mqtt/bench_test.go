package mqtt

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// BenchmarkPublish publishes b.N messages of 64 B with paho alone and with sessions, side by side, and reports the ratio of the rates. A rate
// counts to the moment when the broker has taken everything.
func BenchmarkPublish(b *testing.B) {
	broker := mosquitto.Start(b, mosquitto.Options{})
	for _, qos := range []byte{0, 1} {
		b.Run(fmt.Sprintf("qos %d", qos), func(b *testing.B) {
			payload := make([]byte, 64)
			var alone, ours time.Duration
			const rounds = 3
			for range rounds {
				alone += benchPaho(b, broker, qos, payload)
				ours += benchSession(b, broker, qos, payload)
			}
			n := float64(b.N * rounds)
			b.ReportMetric(n/alone.Seconds(), "paho/s")
			b.ReportMetric(n/ours.Seconds(), "session/s")
			b.ReportMetric(alone.Seconds()/ours.Seconds(), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func benchPaho(b *testing.B, broker *mosquitto.Broker, qos byte, payload []byte) time.Duration {
	conn, err := net.Dial("tcp", broker.Addr())
	if err != nil {
		b.Fatal(err)
	}
	client := paho.NewClient(paho.ClientConfig{Conn: conn, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(paho.PublishReceived) (bool, error) { return true, nil },
	}})
	receive := uint16(20)
	if _, err := client.Connect(b.Context(), &paho.Connect{
		ClientID: "paho", CleanStart: true, KeepAlive: 60, Properties: &paho.ConnectProperties{ReceiveMaximum: &receive},
	}); err != nil {
		b.Fatal(err)
	}
	defer client.Disconnect(&paho.Disconnect{})
	publish := func(qos byte) {
		if _, err := client.Publish(b.Context(), &paho.Publish{Topic: "bench/topic", QoS: qos, Payload: payload}); err != nil {
			b.Fatal(err)
		}
	}
	start := time.Now()
	for range b.N {
		publish(qos)
	}
	publish(1)
	return time.Since(start)
}

func benchSession(b *testing.B, broker *mosquitto.Broker, qos byte, payload []byte) time.Duration {
	s, _ := connect(b, newConnector(b, Config{URL: broker.URL()}), "session")
	defer s.Close()
	window := make(chan struct{}, 16) // what a connection has outstanding
	if qos > 0 {
		window = make(chan struct{}, 1) // as paho alone
	}
	var refused sync.Once
	done := func(r gateway.Result) {
		if !r.Ok() {
			refused.Do(func() { b.Error(r) })
		}
		<-window
	}
	start := time.Now()
	for range b.N {
		window <- struct{}{}
		s.Publish("bench/topic", qos, payload, done)
	}
	last := connectortest.NewCall()
	s.Publish("bench/topic", 1, payload, last.Done)
	last.Result(b)
	return time.Since(start)
}

// BenchmarkIdleSession reports what an idle session costs: heap and stacks after a collection.
func BenchmarkIdleSession(b *testing.B) {
	broker := mosquitto.Start(b, mosquitto.Options{})
	c := newConnector(b, Config{URL: broker.URL()})
	const n = 1000
	for b.Loop() {
		before, goroutines := gatewaytest.MemoryInUse(), runtime.NumGoroutine()
		sessions := make([]gateway.Session, n)
		for i := range sessions {
			s, err := c.Connect(context.Background(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: fmt.Sprint("idle-", i)}}, "", connectortest.NewDevice())
			if err != nil {
				b.Fatal(err)
			}
			if r := connectortest.Subscribe(b, s, fmt.Sprint("down/", i), 1); !r.Ok() {
				b.Fatal(r)
			}
			sessions[i] = s
		}
		gatewaytest.Eventually(b, "writers to end", func() bool { return runtime.NumGoroutine() <= goroutines+2*n })
		b.ReportMetric(float64(gatewaytest.MemoryInUse()-before)/n, "B/session")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/n, "goroutines/session")
		for _, s := range sessions {
			s.Close()
		}
	}
	b.ReportMetric(0, "ns/op")
}
