package admission

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// BanConfig bans sources that keep failing handshakes or authentications. Devices behind one address are one source.
// Plain UDP does not prove a source address: an attacker who forges addresses could get their owners banned.
type BanConfig struct {
	// Failures is how many failures within Window ban a source, at most 100. If zero, no source is banned.
	Failures int
	// Window is how long a failure counts. If zero, 1 minute.
	Window time.Duration
	// Duration is how long a banned source is refused. If zero, 10 minutes.
	Duration time.Duration

	sources int // replaces maxBanSources; set by tests only
}

// maxBanSources bounds the failing sources remembered, and the banned ones; a new one replaces the oldest.
const maxBanSources = 16384

// maxBanFailures bounds the memory for one source: 8 bytes a failure.
const maxBanFailures = 100

func (c *BanConfig) check() error {
	switch {
	case c.Failures < 0 || c.Failures > maxBanFailures:
		return fmt.Errorf("a ban after %d failures: must be 0 (never) to %d", c.Failures, maxBanFailures)
	case c.Window < 0:
		return fmt.Errorf("a ban for failures within %v: must not be negative", c.Window)
	case c.Duration < 0:
		return fmt.Errorf("a ban of %v: must not be negative", c.Duration)
	}
	return nil
}

// Bans are logged one by one, but not faster than this: an attacker with a thousand addresses gets all of them banned.
const (
	banLogRate  = 1 // lines a second
	banLogBurst = 20
)

// bans tracks failing and banned sources. A nil *bans bans none.
type bans struct {
	cfg    BanConfig
	log    *slog.Logger
	lines  *rate.Limiter
	count  prometheus.Counter
	gauge  prometheus.Gauge
	start  time.Time
	active atomic.Int64 // number of banned sources; if 0, no lock is needed

	mu         sync.RWMutex // guards the fields below
	failing    *expiringSet
	jailed     *expiringSet
	sweeper    *time.Timer // removes expired entries
	suppressed int         // bans that were not logged
	ended      bool
}

func newBans(cfg BanConfig, listener string, log *slog.Logger, m *Metrics) *bans {
	if cfg.Failures == 0 {
		return nil
	}
	if cfg.Window == 0 {
		cfg.Window = time.Minute
	}
	if cfg.Duration == 0 {
		cfg.Duration = 10 * time.Minute
	}
	most := cmp.Or(cfg.sources, maxBanSources)
	b := &bans{
		cfg: cfg, log: log, lines: rate.NewLimiter(banLogRate, banLogBurst),
		count: m.bans.WithLabelValues(listener), gauge: m.banned.WithLabelValues(listener), start: time.Now(),
		failing: newExpiringSet(most), jailed: newExpiringSet(most),
	}
	b.sweeper = time.AfterFunc(math.MaxInt64, b.sweep)
	return b
}

func (b *bans) banned(s source) bool {
	if b == nil || b.active.Load() == 0 {
		return false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	e := b.jailed.find(s)
	return e != nil && time.Since(b.start) < e.until
}

// failed counts a failure of s and bans s if it has failed too often.
func (b *bans) failed(s source) {
	if b == nil || s.kind == sourceNone {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	now := time.Since(b.start)
	b.forget(now)
	if b.jailed.find(s) == nil && b.tooMany(s, now) {
		b.failing.remove(s)
		b.jailed.add(s, now+b.cfg.Duration)
		b.report(s)
	}
	b.rearm(now)
}

// tooMany records a failure and reports whether the source has failed too often.
func (b *bans) tooMany(s source, now time.Duration) bool {
	e := b.failing.add(s, now+b.cfg.Window)
	e.failures = append(e.failures, now)
	for now-e.failures[0] >= b.cfg.Window {
		e.failures = e.failures[1:]
	}
	return len(e.failures) >= b.cfg.Failures
}

// end lifts all bans.
func (b *bans) end() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.forget(never - 1)
	b.rearm(never)
	b.sweeper.Stop()
}

func (b *bans) report(s source) {
	b.count.Inc()
	if !b.lines.Allow() {
		b.suppressed++
		return
	}
	b.log.Warn("source banned", "source", s.String(), "failures", b.cfg.Failures, "within", b.cfg.Window.String(),
		"duration", b.cfg.Duration.String(),
		"suppressed", b.suppressed)
	b.suppressed = 0
}

func (b *bans) sweep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Since(b.start)
	b.forget(now)
	b.rearm(now)
}

func (b *bans) forget(now time.Duration) {
	b.failing.forget(now)
	b.jailed.forget(now)
}

// rearm updates the number of banned sources and schedules the sweeper for the next expiry.
func (b *bans) rearm(now time.Duration) {
	n := int64(b.jailed.len())
	b.gauge.Add(float64(n - b.active.Swap(n)))
	if next := min(b.failing.next(), b.jailed.next()); next < never {
		b.sweeper.Reset(next - now)
	}
}
