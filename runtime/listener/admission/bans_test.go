package admission

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// banning is an Admission with bans, inside a synctest bubble.
type banning struct {
	*testing.T
	*Admission
	metrics *Metrics
	log     bytes.Buffer
}

func bansOf(t *testing.T, cfg BanConfig) *banning {
	b := &banning{T: t, metrics: NewMetrics(nil)}
	b.Admission = admission(t, Config{
		Listener: "l", Ban: cfg, Metrics: b.metrics,
		Logger: slog.New(slog.NewTextHandler(&b.log, nil)),
	})
	return b
}

func (b *banning) fail(address string, times int) {
	for range times {
		ticket := Ticket{admission: b.Admission, source: sourceOf(ip(address))}
		ticket.Failed()
	}
}

func (b *banning) want(address string, banned bool) {
	b.Helper()
	if ticket, ok := b.Admit(ip(address)); ok == banned {
		b.Errorf("%s: banned %v", address, !ok)
	} else {
		ticket.Release()
	}
}

func (b *banning) wantCounts(now, ever float64) {
	b.Helper()
	if n := testutil.ToFloat64(b.metrics.banned.WithLabelValues("l")); n != now {
		b.Errorf("%v sources are banned, want %v", n, now)
	}
	if n := testutil.ToFloat64(b.metrics.bans.WithLabelValues("l")); n != ever {
		b.Errorf("%v bans, want %v", n, ever)
	}
}

func TestBanOfAFailingSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bansOf(t, BanConfig{Failures: 3, Window: time.Minute, Duration: time.Hour})
		for _, address := range []string{"127.0.0.1", "2001:db8::1", "fe80::1%eth0"} {
			b.fail(address, 2)
			b.want(address, false)
			b.fail(address, 1)
			b.want(address, true)
		}
		b.want("127.0.0.2", false)
		b.want("2001:db8::2", true) // the same /64
		b.want("2001:db8:0:1::1", false)
		b.want("fe80::2", false)
		if b.Allowed(ip("127.0.0.1")) {
			t.Error("Allowed does not know the bans")
		}
		b.wantCounts(3, 3)
		const line = `level=WARN msg="source banned" listener=l source=2001:db8::/64 failures=3 ` +
			"within=1m0s duration=1h0m0s suppressed=0"
		if !strings.Contains(b.log.String(), line) {
			t.Error(b.log.String())
		}
		b.fail("127.0.0.1", 10) // connections that were open already do not make it longer
		time.Sleep(time.Hour - 1)
		b.want("127.0.0.1", true)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		b.wantCounts(0, 3) // nobody had to come
		b.want("127.0.0.1", false)
	})
}

// Only failures within the window count, wherever it begins.
func TestBanWindowSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bansOf(t, BanConfig{Failures: 3, Window: time.Minute, Duration: time.Hour})
		for range 10 {
			b.fail("10.0.0.1", 1)
			time.Sleep(30 * time.Second)
		}
		b.want("10.0.0.1", false)
		b.fail("10.0.0.1", 1)
		time.Sleep(20 * time.Second)
		b.fail("10.0.0.1", 1)
		b.want("10.0.0.1", true)
	})
}

func TestDefaultsOfBans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bansOf(t, BanConfig{Failures: 2})
		b.fail("10.0.0.1", 1)
		time.Sleep(time.Minute)
		b.fail("10.0.0.1", 1)
		b.want("10.0.0.1", false)
		b.fail("10.0.0.1", 1)
		time.Sleep(10*time.Minute - 1)
		b.want("10.0.0.1", true)
		time.Sleep(time.Nanosecond)
		b.want("10.0.0.1", false)
		off := bansOf(t, BanConfig{})
		off.fail("10.0.0.1", 1000)
		off.want("10.0.0.1", false)
	})
}

// A million sources cost no more than those that are remembered, and those of a peer without an address nothing.
func TestMemoryOfBansIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bansOf(t, BanConfig{Failures: 2, Window: time.Minute, Duration: time.Minute, sources: 3})
		for i := range 100 {
			b.fail(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String(), 1)
		}
		for i := range 5 {
			b.fail(netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}).String(), 2)
		}
		if failing, jailed := b.bans.Load().failing.len(), b.bans.Load().jailed.len(); failing > 3 || jailed != 3 {
			t.Errorf("%d failing, %d banned", failing, jailed)
		}
		b.want("10.0.1.1", false) // the oldest made room
		b.want("10.0.1.2", true)
		none := Ticket{admission: b.Admission}
		none.Failed()
		none.Failed()
		time.Sleep(time.Minute)
		synctest.Wait()
		bans := b.bans.Load()
		if bans.failing.len() > 0 || bans.jailed.len() > 0 || len(bans.failing.entries) > 0 ||
			len(bans.jailed.entries) > 0 {
			t.Error("somebody is remembered for ever")
		}
	})
}

// Whoever owns many addresses does not fill the log with their bans.
func TestBanLinesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bansOf(t, BanConfig{Failures: 1})
		for i := range 200 {
			b.fail(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String(), 1)
		}
		if n := strings.Count(b.log.String(), "source banned"); n != banLogBurst {
			t.Errorf("%d lines", n)
		}
		time.Sleep(time.Second)
		b.fail("10.0.1.0", 1)
		if !strings.Contains(b.log.String(), "suppressed=180") {
			t.Error(b.log.String())
		}
		b.wantCounts(201, 201)
	})
}
