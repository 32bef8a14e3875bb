package spool

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

func aged(topic string, age time.Duration) Record {
	r := publish(topic)
	r.At = r.At.Add(-age)
	return r
}

func TestFirstDropsExpiredRecords(t *testing.T) {
	counts := prometheus.NewRegistry()
	s := openIn(t, Config{Folder: t.TempDir(), Metrics: NewMetrics(counts)})
	q := s.Queue("dev")
	mustPut(t, q, aged("old", 25*time.Hour))
	mustPut(t, q, aged("older", 26*time.Hour))
	mustPut(t, q, aged("young", 23*time.Hour))
	if got := drain(q); !slices.Equal(got, []string{"young"}) {
		t.Errorf("drained %q", got)
	}
	if n := gatewaytest.Metric(t, counts, "exgate_spool_dropped_total", dropExpired); n != 2 {
		t.Errorf("%v drops counted", n)
	}
}

func TestSweepDropsExpiredRecords(t *testing.T) {
	folder := t.TempDir()
	s := openIn(t, Config{Folder: folder, MaxAge: time.Second / 10})
	dev, gone := s.Queue("dev"), s.Queue("gone")
	mustPut(t, dev, aged("old", time.Hour))
	mustPut(t, dev, aged("young", -time.Hour)) // as after the clock was set back
	mustPut(t, gone, publish("soon old"))
	gatewaytest.Eventually(t, "the sweep", func() bool { return dev.Len() == 1 && gone.Len() == 0 })
	s.Close()
	s = openIn(t, Config{Folder: folder})
	if left := s.Left(); !slices.Equal(left, []string{"dev"}) {
		t.Fatalf("left: %q", left)
	}
	if got := drain(s.Queue("dev")); !slices.Equal(got, []string{"young"}) {
		t.Fatalf("drained %q", got)
	}
}
