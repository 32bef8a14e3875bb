package mqtt

import (
	"context"
	"fmt"
	"maps"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/shared"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// BenchmarkPublish publishes b.N messages of 64 B with paho alone and with sessions, and reports the ratio of the
// rates. The clock stops when the broker has accepted everything.
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
	client := paho.NewClient(paho.ClientConfig{Conn: conn, OnPublishReceived: []func(
		paho.PublishReceived) (bool, error){
		func(paho.PublishReceived) (bool, error) { return true, nil },
	}})
	receive := uint16(20)
	if _, err := client.Connect(b.Context(), &paho.Connect{
		ClientID: "paho", CleanStart: true, KeepAlive: 60,
		Properties: &paho.ConnectProperties{ReceiveMaximum: &receive},
	}); err != nil {
		b.Fatal(err)
	}
	defer client.Disconnect(&paho.Disconnect{})
	publish := func(qos byte) {
		if _, err := client.Publish(b.Context(), &paho.Publish{
			Topic: "bench/topic", QoS: qos,
			Payload: payload,
		}); err != nil {
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
	s, _ := brokertest.Connect(b, newConnector(b, client.Config{URL: broker.URL()}), "session")
	defer s.Close()
	window := make(chan struct{}, 16) // publishes in flight on one connection
	if qos > 0 {
		window = make(chan struct{}, 1) // as paho alone does
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
		s.Publish("bench/topic", qos, payload, nil, done)
	}
	last := connectortest.NewCall()
	s.Publish("bench/topic", 1, payload, nil, last.Done)
	last.Result(b)
	return time.Since(start)
}

// BenchmarkIdleSession reports the memory of an idle session: heap and stacks after a garbage collection.
func BenchmarkIdleSession(b *testing.B) {
	broker := mosquitto.Start(b, mosquitto.Options{})
	c := newConnector(b, client.Config{URL: broker.URL()})
	const n = 1000
	for b.Loop() {
		before, goroutines := gatewaytest.MemoryInUse(), runtime.NumGoroutine()
		sessions := make([]gateway.Session, n)
		for i := range sessions {
			s, err := c.Connect(context.Background(),
				gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: fmt.Sprint("idle-", i)}}, "",
				connectortest.NewDevice())
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

const manyDevices = 1000

// BenchmarkManyPublish publishes b.N messages of 64 B from 1,000 devices, each with one unacknowledged, and does the
// same with 1,000 paho clients. The clock stops when the broker has acknowledged everything.
func BenchmarkManyPublish(b *testing.B) {
	broker := mosquitto.Start(b, mosquitto.Options{})
	modes := bothModes(b, broker)
	alone := &ofPaho{addr: broker.Addr()}
	alone.attach(b, manyDevices, func() {})
	defer alone.leave()
	for _, mode := range slices.Sorted(maps.Keys(modes)) {
		m := modes[mode]
		m.attach(b, manyDevices, func() {})
		for _, qos := range []byte{0, 1} {
			b.Run(fmt.Sprintf("%s/qos %d", mode, qos), func(b *testing.B) {
				compareRates(b, func() { publishMany(b, alone, qos) }, func() { publishMany(b, m, qos) })
			})
		}
		m.leave()
	}
}

// compareRates runs both, one after the other, and reports the ratio of the rates.
func compareRates(b *testing.B, reference, measured func()) {
	const rounds = 3
	var alone, ours, cpu time.Duration
	timed := func(f func()) time.Duration {
		start := time.Now()
		f()
		return time.Since(start)
	}
	for range rounds {
		alone += timed(reference)
		before := processorTime(b)
		ours += timed(measured)
		cpu += processorTime(b) - before
	}
	n := float64(b.N * rounds)
	b.ReportMetric(float64(cpu.Microseconds())/n, "us-CPU/message")
	b.ReportMetric(n/alone.Seconds(), "paho/s")
	b.ReportMetric(n/ours.Seconds(), "exgate/s")
	b.ReportMetric(alone.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

// processorTime returns the CPU time of this process, which does not include the broker.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// publishMany makes each device publish its share, one message at a time, and a last one with QoS 1.
func publishMany(b *testing.B, m many, qos byte) {
	payload := make([]byte, 64)
	var wg sync.WaitGroup
	for i := range manyDevices {
		share := b.N / manyDevices
		if i < b.N%manyDevices {
			share++
		}
		wg.Go(func() {
			acknowledged := make(chan error, 1)
			one := func(qos byte) {
				m.publish(i, qos, payload, func(err error) { acknowledged <- err })
				if err := <-acknowledged; err != nil {
					b.Error(err)
				}
			}
			for range share {
				one(qos)
			}
			if qos == 0 {
				one(1)
			}
		})
	}
	wg.Wait()
}

// BenchmarkManyDeliver publishes b.N messages of 64 B from 16 sessions to 1,000 devices, round robin, and does the same
// with 1,000 paho clients. The clock stops when the last message has arrived.
func BenchmarkManyDeliver(b *testing.B) {
	broker := mosquitto.Start(b, mosquitto.Options{})
	var arrived atomic.Int64
	got := func() { arrived.Add(1) }
	for _, mode := range []string{"device", "shared"} {
		for _, qos := range []byte{0, 1} {
			b.Run(fmt.Sprintf("%s/qos %d", mode, qos), func(b *testing.B) {
				from := publishers(b, broker)
				deliver := func() {
					arrived.Store(0)
					window := make(chan struct{}, 500)
					for i := range b.N {
						window <- struct{}{}
						from[i%len(from)].Publish(fmt.Sprint("down/", i%manyDevices), qos, make([]byte, 64),
							nil, func(gateway.Result) { <-window })
					}
					gatewaytest.Eventually(b, "the messages to arrive",
						func() bool { return arrived.Load() >= int64(b.N) })
				}
				reference := attached(b, &ofPaho{addr: broker.Addr()}, got, deliver)
				measured := attached(b, bothModes(b, broker)[mode], got, deliver)
				b.ReportMetric(float64(b.N)/reference.Seconds(), "paho/s")
				b.ReportMetric(float64(b.N)/measured.Seconds(), "exgate/s")
				b.ReportMetric(reference.Seconds()/measured.Seconds(), "ratio")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// publishers returns several sessions, because each has only one QoS 1 publish in flight.
func publishers(b *testing.B, broker *mosquitto.Broker) []gateway.Session {
	c := newConnector(b, client.Config{URL: broker.URL()})
	list := make([]gateway.Session, 16)
	for i := range list {
		list[i], _ = brokertest.Connect(b, c, fmt.Sprint("publisher-", i))
	}
	return list
}

// attached runs deliver while only m's devices are connected, and returns the time it takes.
func attached(b *testing.B, m many, got, deliver func()) time.Duration {
	m.attach(b, manyDevices, got)
	defer m.leave()
	start := time.Now()
	deliver()
	return time.Since(start)
}

// BenchmarkManyMemory reports the memory of an idle session with one subscription, and of a paho client: heap and
// stacks after a garbage collection.
func BenchmarkManyMemory(b *testing.B) {
	broker := mosquitto.Start(b, mosquitto.Options{})
	for _, n := range []int{1_000, 10_000} {
		for _, mode := range []string{"device", "shared"} {
			b.Run(fmt.Sprintf("%s/%d", mode, n), func(b *testing.B) {
				for b.Loop() {
					alone := memoryOf(b, &ofPaho{addr: broker.Addr()}, n)
					ours := memoryOf(b, bothModes(b, broker)[mode], n)
					b.ReportMetric(alone, "paho-B/device")
					b.ReportMetric(ours, "B/device")
					b.ReportMetric(ours/alone, "ratio")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func memoryOf(b *testing.B, m many, n int) float64 {
	before, goroutines := gatewaytest.MemoryInUse(), runtime.NumGoroutine()
	m.attach(b, n, func() {})
	gatewaytest.Eventually(b, "writers to end", func() bool { return runtime.NumGoroutine() <= goroutines+4*n })
	used := float64(gatewaytest.MemoryInUse()-before) / float64(n)
	m.leave()
	return used
}

// BenchmarkManyAttach connects and subscribes 10,000 devices, 64 at a time.
func BenchmarkManyAttach(b *testing.B) {
	broker := mosquitto.Start(b, mosquitto.Options{})
	const n = 10_000
	for _, mode := range []string{"device", "shared"} {
		b.Run(fmt.Sprintf("%s/%d", mode, n), func(b *testing.B) {
			for b.Loop() {
				alone := attachOnce(b, &ofPaho{addr: broker.Addr()}, n)
				ours := attachOnce(b, bothModes(b, broker)[mode], n)
				b.ReportMetric(alone.Seconds(), "paho-s")
				b.ReportMetric(ours.Seconds(), "s")
				b.ReportMetric(alone.Seconds()/ours.Seconds(), "ratio")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func attachOnce(b *testing.B, m many, n int) time.Duration {
	start := time.Now()
	m.attach(b, n, func() {})
	took := time.Since(start)
	m.leave()
	return took
}

// BenchmarkManySpool publishes b.N messages of 64 B at QoS 1 from 1,000 devices, each with one unacknowledged, with and
// without a spool. The rate counts to the last SUCCESS, the drained rate to the broker's last PUBACK.
func BenchmarkManySpool(b *testing.B) {
	broker := mosquitto.Start(b, mosquitto.Options{})
	for _, mode := range []string{"device", "shared"} {
		b.Run(mode, func(b *testing.B) {
			cfg := client.Config{URL: broker.URL(), Node: "plain"}
			plain := sessionsOf(b, mode, cfg)
			plain.attach(b, manyDevices, func() {})
			defer plain.leave()
			cfg.Node, cfg.Spool = "spooled", client.SpoolConfig{Folder: b.TempDir()}
			spooled := sessionsOf(b, mode, cfg)
			spooled.prefix = "spooled"
			spooled.attach(b, manyDevices, func() {})
			defer spooled.leave()
			start := time.Now()
			publishMany(b, plain, 1)
			without := time.Since(start)
			start = time.Now()
			publishMany(b, spooled, 1)
			with := time.Since(start)
			gatewaytest.Eventually(b, "the spool to be empty",
				func() bool { return gatewaytest.Metric(b, spooled.metrics, "exgate_spool_records") == 0 })
			drained := time.Since(start)
			b.ReportMetric(float64(b.N)/without.Seconds(), "plain/s")
			b.ReportMetric(float64(b.N)/with.Seconds(), "spooled/s")
			b.ReportMetric(float64(b.N)/drained.Seconds(), "drained/s")
			b.ReportMetric(without.Seconds()/with.Seconds(), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func sessionsOf(b *testing.B, mode string, cfg client.Config) *ofSessions {
	b.Helper()
	m := &ofSessions{metrics: prometheus.NewRegistry(), prefix: "device"}
	cfg.Metrics = client.NewMetrics(m.metrics)
	switch mode {
	case "device":
		m.connector = newConnector(b, cfg)
	case "shared":
		m.connector = newShared(b, cfg, shared.Config{})
	default:
		b.Fatal(fmt.Sprint("no mode ", mode))
	}
	return m
}
