package admission

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// Config configures the Admission of one listener.
type Config struct {
	// Listener names the listener in metrics and logs.
	Listener string
	// Access decides which addresses may connect. If zero, all may.
	Access *AccessList
	// MaxConnections bounds the open connections. If zero, they are unlimited.
	MaxConnections int
	// MaxPerSource bounds the open connections of one source: an IPv4 address or an IPv6 /64. If zero, they are
	// unlimited.
	MaxPerSource int
	// Rate is the average number of new connections admitted a second. If zero, it is unlimited.
	Rate float64
	// Burst is how many may be admitted at once. If zero, what Rate allows in one second, at least 1.
	Burst int
	// Ban refuses sources that keep failing, for a while. If zero, no source is banned.
	Ban BanConfig
	// Descriptors bounds the file descriptors of devices. If zero, they are unlimited.
	Descriptors *Descriptors
	// DescriptorsEach is how many descriptors one connection takes.
	DescriptorsEach int
	// Total bounds the connections of all listeners that share it. If zero, they are unlimited.
	Total *TotalLimit
	// Logger logs refusals and bans, at most one line of a kind in 10 s. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts refusals and bans. If zero, an unregistered set.
	Metrics *Metrics
}

// Admission decides who may connect to one listener. It is safe for concurrent use and never waits. A nil *Admission
// admits every connection.
type Admission struct {
	access    atomic.Pointer[AccessList]
	bans      atomic.Pointer[bans]
	perSource sourceLimit
	open      connLimit
	total     *TotalLimit
	files     *Descriptors
	filesEach int
	silent    silentConns                  // guarded by files.mu
	rate      atomic.Pointer[rate.Limiter] // nil: any rate
	refusals  *refusalLog
	name      string // of the listener
	metrics   *Metrics
	ban       BanConfig // of bans; guarded by changing
	changing  sync.Mutex
}

// New checks cfg. An error names the setting and the listener.
func New(cfg Config) (*Admission, error) {
	if err := errors.Join(cfg.check(), cfg.Ban.check()); err != nil {
		return nil, fmt.Errorf("limits of listener %q: %w", cfg.Listener, err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	log := cfg.Logger.With("listener", cfg.Listener)
	a := &Admission{
		files: cfg.Descriptors, filesEach: cfg.DescriptorsEach, total: cfg.Total,
		refusals: newRefusalLog(cfg.Listener, log, cfg.Metrics), name: cfg.Listener, metrics: cfg.Metrics,
	}
	a.bans.Store(newBans(cfg.Ban, cfg.Listener, log, cfg.Metrics))
	a.ban = cfg.Ban
	a.set(cfg)
	a.SetAccess(cfg.Access)
	return a, nil
}

// Change applies the limits of cfg to new connections; open ones stay, and count. A changed Ban lifts all bans. The
// access list does not change, nor do Descriptors, DescriptorsEach, Total, Logger and Metrics.
func (a *Admission) Change(cfg Config) error {
	if err := errors.Join(cfg.check(), cfg.Ban.check()); err != nil {
		return fmt.Errorf("limits of listener %q: %w", a.name, err)
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	a.set(cfg)
	if cfg.Ban != a.ban {
		a.ban = cfg.Ban
		a.bans.Swap(newBans(cfg.Ban, a.name, a.refusals.log, a.metrics)).end()
	}
	return nil
}

func (a *Admission) set(cfg Config) {
	a.open.maximum.Store(int64(cfg.MaxConnections))
	a.perSource.maximum.Store(int64(cfg.MaxPerSource))
	a.rate.Store(newConnectionRate(cfg.Rate, cfg.Burst))
}

func (c *Config) check() error {
	switch {
	case c.MaxConnections < 0:
		return fmt.Errorf("%d connections: must not be negative", c.MaxConnections)
	case c.MaxPerSource < 0:
		return fmt.Errorf("%d connections per source: must not be negative", c.MaxPerSource)
	case c.Rate < 0 || math.IsNaN(c.Rate) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("%v new connections per second: must be a number and not negative", c.Rate)
	case c.Burst < 0:
		return fmt.Errorf("a burst of %d connections: must not be negative", c.Burst)
	case c.Burst > 0 && c.Rate == 0:
		return fmt.Errorf("a burst of %d connections needs a rate", c.Burst)
	}
	return nil
}

func newConnectionRate(perSecond float64, burst int) *rate.Limiter {
	if perSecond == 0 {
		return nil
	}
	if burst == 0 {
		burst = int(min(max(perSecond, 1), math.MaxInt32))
	}
	return rate.NewLimiter(rate.Limit(perSecond), burst)
}

// SetAccess replaces the access list; nil allows every address. Open connections stay.
func (a *Admission) SetAccess(list *AccessList) { a.access.Store(list) }

// Admit admits a connection from address, which is invalid for peers without one, as on a unix socket. If it returns
// false, close the connection; the reason is counted and logged. Otherwise release the ticket when the connection has
// ended.
func (a *Admission) Admit(address netip.Addr) (Ticket, bool) {
	t, ok := a.AdmitSilent(address)
	return t.settled(ok)
}

// AdmitSilent is Admit for a connection that must first send a ClientHello or a PROXY header: it does not count against
// the listener's limits and rate until [Ticket.Settle], so silent connections take nothing from others.
func (a *Admission) AdmitSilent(address netip.Addr) (Ticket, bool) {
	if a == nil {
		return Ticket{}, true
	}
	from := sourceOf(address)
	counted, r := a.enterSource(address, from)
	if r != admitted {
		a.refusals.refused(r, from)
		return Ticket{}, false
	}
	if !a.files.enter(a.filesEach) {
		if counted {
			a.perSource.leave(from)
		}
		a.refusals.refused(refusedDescriptors, from)
		return Ticket{}, false
	}
	return Ticket{admission: a, source: from, perSource: counted}, true
}

// AdmitProxy is Admit for a trusted proxy, which carries the connections of many devices: bans and limits for one
// source do not apply to it. [Ticket.Rebind] then counts the device.
func (a *Admission) AdmitProxy(address netip.Addr) (Ticket, bool) {
	t, ok := a.AdmitSilentProxy(address)
	return t.settled(ok)
}

// AdmitSilentProxy is to AdmitProxy what AdmitSilent is to Admit.
func (a *Admission) AdmitSilentProxy(address netip.Addr) (Ticket, bool) {
	if a == nil {
		return Ticket{}, true
	}
	r := admitted
	if !a.access.Load().Allowed(address) {
		r = refusedAccess
	} else if !a.files.enter(a.filesEach) {
		r = refusedDescriptors
	}
	if r != admitted {
		a.refusals.refused(r, sourceOf(address))
		return Ticket{}, false
	}
	return Ticket{admission: a}, true
}

// AdmitDialed admits a connection that this side dials, for the listener's limits, its rate and file descriptors.
// Access rules, bans and limits for one source do not apply; see [Admission.MayDial].
func (a *Admission) AdmitDialed() (Ticket, bool) {
	if a == nil {
		return Ticket{}, true
	}
	if !a.files.enter(a.filesEach) {
		a.refusals.refused(refusedDescriptors, source{})
		return Ticket{}, false
	}
	t := Ticket{admission: a}
	return t.settled(true)
}

// MayDial reports whether the access list allows connections to address. Addresses inside one of special are allowed
// only by a rule that names no more than that prefix: neither allow all nor the lack of a rule is enough.
func (a *Admission) MayDial(address netip.Addr, special []netip.Prefix) bool {
	if a == nil {
		return (*AccessList)(nil).AllowedNamed(address, special)
	}
	return a.access.Load().AllowedNamed(address, special)
}

// Allowed reports whether the access list and the bans allow address. A refusal is counted and logged.
func (a *Admission) Allowed(address netip.Addr) bool {
	if a == nil {
		return true
	}
	from := sourceOf(address)
	r := a.known(address, from)
	if r != admitted {
		a.refusals.refused(r, from)
	}
	return r == admitted
}

func (a *Admission) known(address netip.Addr, from source) refusal {
	switch {
	case !a.access.Load().Allowed(address):
		return refusedAccess
	case a.bans.Load().banned(from):
		return refusedBan
	}
	return admitted
}

// enterSource reports whether it counted the connection against its source.
func (a *Admission) enterSource(address netip.Addr, from source) (counted bool, r refusal) {
	if r := a.known(address, from); r != admitted {
		return false, r
	}
	counted, ok := a.perSource.enter(from)
	if !ok {
		return false, refusedMaxPerSource
	}
	return counted, admitted
}

// enter counts a connection against the limits of the listener and of all listeners. The rate comes last, so that
// connections refused for another reason do not use it up.
func (a *Admission) enter() refusal {
	if !a.open.enter() {
		return refusedMaxConnections
	}
	if !a.total.enter() {
		a.open.leave()
		return refusedMaxTotal
	}
	if limit := a.rate.Load(); limit != nil && !limit.Allow() {
		a.leave()
		return refusedRate
	}
	return admitted
}

func (a *Admission) leave() {
	a.total.leave()
	a.open.leave()
}
