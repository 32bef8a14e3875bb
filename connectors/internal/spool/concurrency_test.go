package spool

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestManyDevicesAtOnce appends and removes records from many goroutines, then checks the remaining records.
func TestManyDevicesAtOnce(t *testing.T) {
	folder := t.TempDir()
	s := openIn(t, Config{Folder: folder})
	const devices, each, removed = 16, 200, 120
	var wg sync.WaitGroup
	for d := range devices {
		wg.Go(func() {
			q := s.Queue(fmt.Sprint(d))
			defer q.Release()
			var acks sync.WaitGroup
			for i := range each {
				acks.Add(1)
				q.Append(publish(fmt.Sprint(i)), func(err error) {
					if err != nil {
						t.Error(err)
					}
					acks.Done()
				})
			}
			for i := 0; i < removed; {
				if seq, r, ok := q.First(); ok {
					if r.Topic != fmt.Sprint(i) {
						t.Errorf("device %d: %q at %d", d, r.Topic, i)
					}
					q.Remove(seq)
					i++
				}
			}
			acks.Wait()
		})
		wg.Go(func() {
			for range 100 {
				s.Queue(fmt.Sprint(d)).Release()
				s.Left()
			}
		})
	}
	wg.Wait()
	s.Close()
	s = openIn(t, Config{Folder: folder})
	for d := range devices {
		got := drain(s.Queue(fmt.Sprint(d)))
		if len(got) != each-removed || got[0] != fmt.Sprint(removed) || got[len(got)-1] != fmt.Sprint(each-1) {
			t.Errorf("device %d: %d left, %q", d, len(got), got)
		}
	}
}

// TestDroppingMeetsRemoving removes records while the spool drops them.
func TestDroppingMeetsRemoving(t *testing.T) {
	s := openIn(t, Config{Folder: t.TempDir(), MaxBytes: 60_000, MaxBytesPerDevice: 20_000, DropOldest: true})
	var wg sync.WaitGroup
	queues := make([]*Queue, 6)
	for d := range queues {
		q := s.Queue(fmt.Sprint(d))
		queues[d] = q
		wg.Go(func() {
			for i := range 300 {
				if err := put(q, kilobyte(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 200 {
				if seq, _, ok := q.First(); ok {
					q.Remove(seq)
				}
			}
		})
	}
	wg.Wait()
	for d, q := range queues {
		got := drain(q)
		if !slices.IsSortedFunc(got, byNumber) || q.Len() != 0 {
			t.Errorf("device %d: %q, then %d records", d, got, q.Len())
		}
	}
	if s.Left(); s.bytes != 0 || len(s.holding) != 0 {
		t.Errorf("%d bytes of %d queues are left of nothing", s.bytes, len(s.holding))
	}
}

// TestLongDropMeetsRemoving removes records while one append drops thousands of them.
func TestLongDropMeetsRemoving(t *testing.T) {
	const records = 5000
	folder := t.TempDir()
	s := openIn(t, Config{Folder: folder})
	fillUp(t, s.Queue("dev"), records)
	s.Close()
	counts := prometheus.NewRegistry()
	s = openIn(t, Config{Folder: folder, MaxBytesPerDevice: 2000, DropOldest: true, Metrics: NewMetrics(counts)})
	q := s.Queue("dev")
	done := make(chan error, 1)
	q.Append(kilobyte("last"), func(err error) { done <- err })
	for len(done) == 0 {
		if seq, _, ok := q.First(); ok {
			q.Remove(seq)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	taken := len(drain(q))
	removed, dropped := gatewaytest.Metric(t, counts, "exgate_spool_removed_total"),
		gatewaytest.Metric(t, counts, "exgate_spool_dropped_total")
	if removed+dropped != records+1 || q.Len() != 0 || s.bytes != 0 {
		t.Errorf("%v removed, %d of them at last, and %v dropped; %d and %d bytes left", removed, taken, dropped,
			q.Len(), s.bytes)
	}
}

func fillUp(t *testing.T, q *Queue, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		q.Append(publish("t", 1), func(err error) {
			if err != nil {
				t.Error(err)
			}
			wg.Done()
		})
	}
	wg.Wait()
}

func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return slices.Compare([]byte(a), []byte(b))
}

// TestRefusalsKeepTheirPlace expects the callbacks of one queue in the order of its appends, including those of refused
// ones.
func TestRefusalsKeepTheirPlace(t *testing.T) {
	s := openIn(t, Config{Folder: t.TempDir(), MaxBytesPerDevice: 5000})
	q := s.Queue("dev")
	type result struct {
		i   int
		err error
	}
	results := make(chan result, 20)
	for i := range cap(results) {
		q.Append(kilobyte(fmt.Sprint(i)), func(err error) { results <- result{i, err} })
	}
	for i := range cap(results) {
		if r := <-results; r.i != i || (i < 4) != (r.err == nil) || (i >= 4 && !errors.Is(r.err, ErrFull)) {
			t.Errorf("result %d is of append %d: %v", i, r.i, r.err)
		}
	}
}

// TestRecordsTakeNoMemory compares the memory of a queue with few records and with many.
func TestRecordsTakeNoMemory(t *testing.T) {
	s := openIn(t, Config{Folder: t.TempDir()})
	q := s.Queue("dev")
	fillUp(t, q, 100_000) // pebble's memtables have reached their full size then
	before := gatewaytest.MemoryInUse()
	fillUp(t, q, 400_000)
	if after := gatewaytest.MemoryInUse(); after > before+20<<20 {
		t.Errorf("400,000 records more take %d bytes", after-before)
	}
}
