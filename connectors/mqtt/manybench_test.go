package mqtt

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

const manyDevices = 1000

// BenchmarkManyPublish: 1,000 devices publish b.N messages of 64 B in all, each with one unacknowledged, and 1,000 clients of the library do the
// same beside them. A rate counts to the moment when the broker has acknowledged everything.
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

// compareRates runs both in turn and reports how much faster measured is.
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

// processorTime is what this process has used; the broker is another one.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// publishMany has each device publish its part, the next message when the one before is done, and one of QoS 1 at the end.
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

// BenchmarkManyDeliver: 16 sessions publish b.N messages of 64 B to 1,000 devices in turn, and to 1,000 clients of the library. A rate counts to
// the moment when the last message is there.
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
						from[i%len(from)].Publish(fmt.Sprint("down/", i%manyDevices), qos, make([]byte, 64), func(gateway.Result) { <-window })
					}
					gatewaytest.Eventually(b, "the messages to arrive", func() bool { return arrived.Load() >= int64(b.N) })
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

// publishers are several, since each has only one publish of QoS 1 under way.
func publishers(b *testing.B, broker *mosquitto.Broker) []gateway.Session {
	c := newConnector(b, Config{URL: broker.URL()})
	list := make([]gateway.Session, 16)
	for i := range list {
		list[i], _ = connect(b, c, fmt.Sprint("publisher-", i))
	}
	return list
}

// attached times deliver with m's devices there, and only those.
func attached(b *testing.B, m many, got, deliver func()) time.Duration {
	m.attach(b, manyDevices, got)
	defer m.leave()
	start := time.Now()
	deliver()
	return time.Since(start)
}

// BenchmarkManyMemory reports what an idle session with one subscription costs: heap and stacks after a collection, beside a client of the library.
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

// BenchmarkManyAttach: 10,000 devices connect and subscribe, 64 at once.
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
