package spool

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"

	"github.com/exgate/exgate/connectors/internal/database"
)

// BenchmarkAppend appends b.N records of 128 B with several devices that each wait for their last record and, for
// comparison, writes the same records to pebble with a sync for each. It reports the ratio of the rates.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d writers", writers), func(b *testing.B) {
			var alone, ours time.Duration
			const rounds = 3
			for range rounds {
				alone += benchPebble(b)
				ours += benchSpool(b, writers)
			}
			n := float64(b.N * rounds)
			b.ReportMetric(n/alone.Seconds(), "pebble/s")
			b.ReportMetric(n/ours.Seconds(), "spool/s")
			b.ReportMetric(alone.Seconds()/ours.Seconds(), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func benchPebble(b *testing.B) time.Duration {
	db, err := pebble.Open(b.TempDir(), database.Options(vfs.Default, nil, slog.New(slog.DiscardHandler)))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	value := make([]byte, 128)
	start := time.Now()
	for i := range b.N {
		if err := db.Set(binary.BigEndian.AppendUint64(nil, uint64(i)), value, pebble.Sync); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

func benchSpool(b *testing.B, writers int) time.Duration {
	s := openIn(b, Config{Folder: b.TempDir(), MaxBytes: 64 << 30, MaxBytesPerDevice: 64 << 30})
	defer s.Close()
	r := publish("bench/topic", make([]byte, 128)...)
	var wg sync.WaitGroup
	start := time.Now()
	for w := range writers {
		q := s.Queue(fmt.Sprint(w))
		wg.Go(func() {
			for range (b.N + w) / writers {
				if err := put(q, r); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// BenchmarkDrain measures reading and removing a record of 128 B from a long queue.
func BenchmarkDrain(b *testing.B) {
	s := openIn(b, Config{Folder: b.TempDir(), MaxBytes: 64 << 30, MaxBytesPerDevice: 64 << 30})
	q := s.Queue("dev")
	fillWith(b, s, []*Queue{q}, b.N)
	for b.Loop() {
		seq, _, ok := q.First()
		if !ok {
			fillWith(b, s, []*Queue{q}, 1000)
			continue
		}
		q.Remove(seq)
	}
}

// BenchmarkBacklog reports the memory of a queue with one record, the memory of a million more records, and how fast
// records are counted when the spool is opened.
func BenchmarkBacklog(b *testing.B) {
	const devices, records = 10_000, 1_000_000
	for b.Loop() {
		cfg := Config{Folder: b.TempDir(), MaxBytes: 64 << 30, MaxBytesPerDevice: 64 << 30}
		s := openIn(b, cfg)
		fillWith(b, s, []*Queue{s.Queue("warm")}, 200_000)
		before := gatewaytest.MemoryInUse()
		queues := make([]*Queue, devices)
		for i := range queues {
			queues[i] = s.Queue(fmt.Sprintf("device-%012d", i))
		}
		fillWith(b, s, queues, devices)
		few := gatewaytest.MemoryInUse()
		fillWith(b, s, queues, records)
		many := gatewaytest.MemoryInUse()
		b.ReportMetric((float64(few)-float64(before))/devices, "B/queue")
		b.ReportMetric((float64(many)-float64(few))/records, "B/record")
		s.Close()
		start := time.Now()
		openIn(b, cfg).Close()
		b.ReportMetric(records/time.Since(start).Seconds(), "opened/s")
	}
	b.ReportMetric(0, "ns/op")
}

func fillWith(b *testing.B, s *Spool, queues []*Queue, n int) {
	b.Helper()
	r := publish("bench/topic", make([]byte, 128)...)
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		queues[i%len(queues)].Append(r, func(err error) {
			if err != nil {
				b.Error(err)
			}
			wg.Done()
		})
		if i%10_000 == 9999 {
			wg.Wait()
		}
	}
	wg.Wait()
}
