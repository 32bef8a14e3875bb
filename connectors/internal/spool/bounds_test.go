package spool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// kilobyte returns a record that counts as 1000 bytes.
func kilobyte(topic string) Record {
	return publish(topic, make([]byte, 1000-recordOverhead-2-len(topic))...) // 2: the two length fields
}

func TestFullSpoolRefusesTheNewest(t *testing.T) {
	counts := prometheus.NewRegistry()
	s := openIn(t, Config{Folder: t.TempDir(), MaxBytes: 5500, MaxBytesPerDevice: 3010, Metrics: NewMetrics(counts)})
	a, b := s.Queue("a"), s.Queue("b")
	for i := range 3 {
		mustPut(t, a, kilobyte(fmt.Sprint(i)))
	}
	refused := func(q *Queue, r Record, names, reason string) {
		t.Helper()
		if err := put(q, r); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), names+",") {
			t.Errorf("over %s: %v", names, err)
		}
		if n := gatewaytest.Metric(t, counts, "exgate_spool_refused_total", reason); n != 1 {
			t.Errorf("%v refusals with reason %s", n, reason)
		}
	}
	refused(a, kilobyte("3"), "upstream.spool.max_bytes_per_device", refuseDeviceFull)
	mustPut(t, b, kilobyte("0"))
	mustPut(t, b, kilobyte("1"))
	refused(b, kilobyte("2"), "upstream.spool.max_bytes", refuseFull)
	refused(b, publish("huge", make([]byte, 3000)...), "upstream.spool.max_bytes_per_device", refuseLarge)
	seq, _, _ := a.First()
	a.Remove(seq)
	mustPut(t, b, kilobyte("2"))
	if got := drain(a); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("a: %q", got)
	}
	if got := drain(b); !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("b: %q", got)
	}
}

func TestRecordOverAllBounds(t *testing.T) {
	for _, oldest := range []bool{false, true} {
		s := openIn(t, Config{Folder: t.TempDir(), MaxBytes: 900, MaxBytesPerDevice: 2000, DropOldest: oldest})
		if err := put(s.Queue("a"), kilobyte("t")); !errors.Is(err, ErrFull) ||
			!strings.Contains(err.Error(), "upstream.spool.max_bytes,") {
			t.Errorf("%v", err)
		}
		mustPut(t, s.Queue("a"), publish("small"))
	}
}

func TestClientIDsCount(t *testing.T) {
	s := openIn(t, Config{Folder: t.TempDir(), MaxBytes: 3000})
	mustPut(t, s.Queue(strings.Repeat("x", 2000)), publish("t"))
	if err := put(s.Queue(strings.Repeat("y", 2000)), publish("t")); !errors.Is(err, ErrFull) {
		t.Fatalf("the second long client id: %v", err)
	}
}

func TestFullDeviceDropsItsOldest(t *testing.T) {
	counts := prometheus.NewRegistry()
	s := openIn(t, Config{Folder: t.TempDir(), MaxBytesPerDevice: 3010, DropOldest: true, Metrics: NewMetrics(counts)})
	a, b := s.Queue("a"), s.Queue("b")
	mustPut(t, b, kilobyte("other"))
	for i := range 3 {
		mustPut(t, a, kilobyte(fmt.Sprint(i)))
	}
	inFlight, _, _ := a.First()
	mustPut(t, a, kilobyte("3"))
	mustPut(t, a, kilobyte("4"))
	a.Remove(inFlight)
	if got := drain(a); !slices.Equal(got, []string{"2", "3", "4"}) {
		t.Errorf("a: %q", got)
	}
	if got := drain(b); !slices.Equal(got, []string{"other"}) {
		t.Errorf("b: %q", got)
	}
	if n := gatewaytest.Metric(t, counts, "exgate_spool_dropped_total", dropDeviceFull); n != 2 {
		t.Errorf("%v drops counted", n)
	}
}

func TestWhoFloodsPays(t *testing.T) {
	counts := prometheus.NewRegistry()
	s := openIn(t, Config{
		Folder: t.TempDir(), MaxBytes: 50_000, MaxBytesPerDevice: 50_000, DropOldest: true,
		Metrics: NewMetrics(counts),
	})
	quiet := make([]*Queue, 5)
	for i := range quiet {
		quiet[i] = s.Queue(fmt.Sprint("quiet", i))
		mustPut(t, quiet[i], kilobyte("0"))
	}
	flood := s.Queue("flood")
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Add(1)
		flood.Append(kilobyte(fmt.Sprintf("%03d", i)), func(err error) {
			if err != nil {
				t.Error(i, err)
			}
			wg.Done()
		})
		if i%10 == 9 { // stay below the bound of one batch
			wg.Wait()
		}
	}
	for _, q := range quiet {
		mustPut(t, q, kilobyte("1"))
		if got := drain(q); !slices.Equal(got, []string{"0", "1"}) {
			t.Errorf("a quiet device has %q", got)
		}
	}
	got := drain(flood)
	if len(got) != 43 || got[0] != "457" || got[42] != "499" { // what fits into 50,000 bytes beside six records
		t.Errorf("the flood has %d, %q", len(got), got)
	}
	if n := gatewaytest.Metric(t, counts, "exgate_spool_dropped_total"); n != 457 {
		t.Errorf("%v drops counted", n)
	}
}

func TestMetrics(t *testing.T) {
	counts := prometheus.NewRegistry()
	folder := t.TempDir()
	cfg := Config{Folder: folder, Metrics: NewMetrics(counts)}
	want := func(values map[string]float64) {
		t.Helper()
		for name, want := range values {
			if got := gatewaytest.Metric(t, counts, "exgate_spool_"+name); got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
	s := openIn(t, cfg)
	for _, id := range []string{"a", "a", "b"} {
		mustPut(t, s.Queue(id), kilobyte("t"))
	}
	held := map[string]float64{"records": 3, "bytes": 3002, "devices": 2}
	want(held)
	want(map[string]float64{"appended_total": 3, "commits_total": 3})
	s.Close()
	want(map[string]float64{"records": 0, "bytes": 0, "devices": 0})
	s = openIn(t, cfg)
	want(held)
	drain(s.Queue("a"))
	want(map[string]float64{"records": 1, "bytes": 1001, "devices": 1, "removed_total": 2})
	drain(s.Queue("b"))
	want(map[string]float64{"records": 0, "bytes": 0, "devices": 0, "removed_total": 3})
}
