package admission

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Every limit can be switched on, moved and switched off while connections are open. Those that a limit has not counted
// are not taken from its count when they end.
func TestChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := NewMetrics(nil)
		total := NewTotalLimit(0)
		a := admission(t, Config{Listener: "l", Total: total, Metrics: metrics})
		admit := func(want bool) Ticket {
			t.Helper()
			ticket, ok := a.Admit(ip("192.0.2.1"))
			if ok != want {
				t.Fatalf("admitted %v, want %v", ok, want)
			}
			return ticket
		}
		change := func(cfg Config) {
			t.Helper()
			if err := a.Change(cfg); err != nil {
				t.Fatal(err)
			}
		}
		early := admit(true)
		change(Config{MaxConnections: 2})
		second := admit(true)
		admit(false) // the one from before counts
		second.Release()
		change(Config{MaxPerSource: 1})
		counted := admit(true)
		admit(false)
		early.Release()
		admit(false) // it was never counted against its source
		counted.Release()
		counted = admit(true)
		change(Config{})
		uncounted := admit(true)
		counted.Release()
		uncounted.Release()
		change(Config{Rate: 1, Burst: 1})
		last := admit(true)
		admit(false)
		change(Config{})
		total.Set(1)
		admit(false)
		total.Set(0)
		last.Release()
		for i := range a.perSource.shards {
			if taken := a.perSource.shards[i].taken; len(taken) > 0 {
				t.Errorf("sources are left: %v", taken)
			}
		}

		ban := Config{Ban: BanConfig{Failures: 1, Window: time.Hour, Duration: time.Hour}}
		change(ban)
		failing := admit(true)
		old := a.bans.Load()
		failing.Failed()
		admit(false)
		ban.MaxConnections = 5
		change(ban)
		admit(false) // the same rules, so the ban stays
		ban.Ban.Failures = 2
		change(ban)
		freed := admit(true)
		freed.Release()
		old.failed(sourceOf(ip("192.0.2.1")))
		if n := testutil.ToFloat64(metrics.banned.WithLabelValues("l")); n != 0 {
			t.Errorf("%v sources are banned", n)
		}
		failing.Release()
		if a.open.taken.Load() != 0 || total.taken.Load() != 0 {
			t.Error("places are lost")
		}
		if err := a.Change(Config{MaxConnections: -1}); err == nil {
			t.Error("a negative limit was accepted")
		}
	})
}
