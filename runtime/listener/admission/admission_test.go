package admission

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func admission(t testing.TB, cfg Config) *Admission {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func ip(text string) netip.Addr { return netip.MustParseAddr(text) }

// admit returns the tickets of the admitted connections, and requires want of them.
func admit(t *testing.T, a *Admission, want int, addresses ...string) []*Ticket {
	t.Helper()
	var tickets []*Ticket
	for _, address := range addresses {
		if ticket, ok := a.Admit(ip(address)); ok {
			tickets = append(tickets, &ticket)
		}
	}
	if len(tickets) != want {
		t.Errorf("%d admitted, want %d", len(tickets), want)
	}
	return tickets
}

// rejections are the counts by reason, those above zero.
func rejections(m *Metrics, listener string) map[string]int {
	counts := make(map[string]int)
	for r := admitted + 1; r < refusals; r++ {
		if n := testutil.ToFloat64(m.rejected.WithLabelValues(listener, r.String())); n > 0 {
			counts[r.String()] = int(n)
		}
	}
	return counts
}

func wantRejections(t *testing.T, m *Metrics, want map[string]int) {
	t.Helper()
	if got := rejections(m, "l"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("rejected %v, want %v", got, want)
	}
}

func TestNilAdmissionAdmits(t *testing.T) {
	var a *Admission
	ticket, ok := a.Admit(ip("10.0.0.1"))
	proxied, okProxy := a.AdmitProxy(ip("10.0.0.1"))
	if !ok || !okProxy || !a.Allowed(ip("10.0.0.1")) || !proxied.Rebind(ip("10.0.0.2")) {
		t.Error("refused")
	}
	ticket.Failed()
	ticket.Release()
	new(Ticket).Release()
}

func TestMaxConnections(t *testing.T) {
	m := NewMetrics(nil)
	a := admission(t, Config{Listener: "l", MaxConnections: 2, Metrics: m})
	tickets := admit(t, a, 2, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	tickets[0].Release()
	tickets[0].Release() // gives nothing back that it no longer has
	admit(t, a, 1, "10.0.0.3", "10.0.0.4")
	wantRejections(t, m, map[string]int{"max_connections": 2})
}

func TestMaxPerSource(t *testing.T) {
	m := NewMetrics(nil)
	a := admission(t, Config{Listener: "l", MaxPerSource: 1, Metrics: m})
	tickets := admit(t, a, 1, "10.0.0.1", "10.0.0.1", "::ffff:10.0.0.1")
	admit(t, a, 1, "10.0.0.2")
	admit(t, a, 2, "2001:db8::1", "2001:db8::ffff:0:0:1", "2001:db8:0:1::1") // by /64
	admit(t, a, 2, "fe80::1", "fe80::2", "fe80::2%eth0")                     // by interface
	// the /64 of ::1 is not IPv4's 0.0.0.0
	admit(t, a, 2, "::1", "::2", "0.0.0.0")
	if _, ok := a.Admit(netip.Addr{}); !ok || len(admit(t, a, 0, "0.0.0.0")) > 0 { // no address, no limit
		t.Error("a peer without an address was refused")
	}
	wantRejections(t, m, map[string]int{"max_per_source": 6})
	tickets[0].Release()
	admit(t, a, 1, "10.0.0.1", "10.0.0.1")
}

func TestMaxTotalIsSharedByListeners(t *testing.T) {
	m := NewMetrics(nil)
	total := NewTotalLimit(2)
	a := admission(t, Config{Listener: "l", Total: total, Metrics: m})
	b := admission(t, Config{Listener: "other", MaxPerSource: 1, Total: total, Metrics: m})
	tickets := admit(t, a, 1, "10.0.0.1")
	admit(t, b, 1, "10.0.0.1", "10.0.0.2")
	admit(t, a, 0, "10.0.0.1")
	tickets[0].Release()
	admit(t, b, 1, "10.0.0.2") // its refusal took no place of the source
	wantRejections(t, m, map[string]int{"max_total": 1})
	admit(t, admission(t, Config{Total: NewTotalLimit(0)}), 3, "10.0.0.1", "10.0.0.1", "10.0.0.1")
}

func TestConnectionRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMetrics(nil)
		a := admission(t, Config{Listener: "l", Rate: 10, Burst: 3, MaxPerSource: 1, Metrics: m})
		admit(t, a, 3, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5")
		time.Sleep(100 * time.Millisecond)
		admit(t, a, 0, "10.0.0.1") // spends nothing of the rate
		admit(t, a, 1, "10.0.0.4", "10.0.0.5")
		time.Sleep(time.Hour)
		admit(t, a, 3, "10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.4")
		wantRejections(t, m, map[string]int{"connection_rate": 4, "max_per_source": 1})
	})
}

func TestBurstIsOneSecondOfTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		admit(t, admission(t, Config{Rate: 2}), 2, "10.0.0.1", "10.0.0.1", "10.0.0.1")
		admit(t, admission(t, Config{Rate: 0.1}), 1, "10.0.0.1", "10.0.0.1")
	})
}

func TestAllowedTakesNoPlace(t *testing.T) {
	m := NewMetrics(nil)
	list, err := ParseAccess([]string{"deny 10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	a := admission(t, Config{Listener: "l", Access: list, MaxConnections: 1, Rate: 0.001, Metrics: m})
	if a.Allowed(ip("10.0.0.1")) || !a.Allowed(ip("11.0.0.1")) || !a.Allowed(ip("11.0.0.1")) {
		t.Error("the list is not followed")
	}
	admit(t, a, 1, "10.0.0.1", "11.0.0.1")
	wantRejections(t, m, map[string]int{"access_denied": 2})
	a.SetAccess(nil)
	if !a.Allowed(ip("10.0.0.1")) {
		t.Error("the old list is in force")
	}
}

func TestRefusalsAreLoggedOnceAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := admission(t, Config{
			Listener: "meters", MaxConnections: 1,
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		admit(t, a, 1, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
		time.Sleep(refusalLogInterval)
		admit(t, a, 0, "2001:db8::5")
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		const refused = `level=WARN msg="connection refused" listener=meters reason=max_connections `
		const first, second = refused + "source=10.0.0.2 suppressed=0", refused + "source=2001:db8::/64 suppressed=2"
		if len(lines) != 2 || !strings.HasSuffix(lines[0], first) || !strings.HasSuffix(lines[1], second) {
			t.Error(log.String())
		}
	})
}

// However many come and go at once, no limit is passed and every place comes back.
func TestAdmissionUnderRace(t *testing.T) {
	total := NewTotalLimit(3)
	a := admission(t, Config{MaxConnections: 4, MaxPerSource: 2, Total: total, Ban: BanConfig{Failures: 5, sources: 4}})
	var workers sync.WaitGroup
	for i := range 8 {
		workers.Go(func() {
			for n := range 500 {
				from := netip.AddrFrom4([4]byte{10, 0, byte(i), byte(n % 20)})
				ticket, ok := a.Admit(from)
				if taken := total.taken.Load(); taken > 3 {
					t.Errorf("%d connections", taken)
				}
				if ok && n%7 == 0 {
					ticket.Failed()
				}
				var twice sync.WaitGroup
				twice.Go(ticket.Release)
				ticket.Release()
				twice.Wait()
			}
		})
	}
	workers.Wait()
	if a.open.taken.Load() != 0 || total.taken.Load() != 0 {
		t.Errorf("%d and %d places are lost", a.open.taken.Load(), total.taken.Load())
	}
	for i := range a.perSource.shards {
		if taken := a.perSource.shards[i].taken; len(taken) > 0 {
			t.Errorf("sources are left: %v", taken)
		}
	}
}

func TestBadAdmissionConfig(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{MaxConnections: -1}, "-1 connections: must not be negative"},
		{Config{MaxPerSource: -2}, "-2 connections per source: must not be negative"},
		{Config{Rate: -0.5}, "-0.5 new connections per second: must be a number and not negative"},
		{Config{Rate: math.NaN()}, "NaN new connections per second: must be a number and not negative"},
		{Config{Rate: math.Inf(1)}, "+Inf new connections per second: must be a number and not negative"},
		{Config{Rate: 1, Burst: -1}, "a burst of -1 connections: must not be negative"},
		{Config{Burst: 5}, "a burst of 5 connections needs a rate"},
		{Config{Ban: BanConfig{Failures: -1}}, "a ban after -1 failures: must be 0 (never) to 100"},
		{Config{Ban: BanConfig{Failures: 101}}, "a ban after 101 failures: must be 0 (never) to 100"},
		{Config{Ban: BanConfig{Window: -time.Second}}, "a ban for failures within -1s: must not be negative"},
		{Config{Ban: BanConfig{Duration: -time.Second}}, "a ban of -1s: must not be negative"},
	} {
		tt.cfg.Listener = "meters"
		want := `limits of listener "meters": ` + tt.want
		if _, err := New(tt.cfg); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
