package admission

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// Config says who may connect to one listener, how many of them and how fast.
type Config struct {
	// Listener names the listener in metrics and logs.
	Listener string
	// Access lists the addresses that may connect. If zero, all may.
	Access *AccessList
	// MaxConnections is how many may be open at once. If zero, any number.
	MaxConnections int
	// MaxPerSource is how many one source may have open at once. A source is an IPv4 address or an IPv6 /64. If zero,
	// any number.
	MaxPerSource int
	// Rate is how many new connections a second are let in, on average. If zero, any number.
	Rate float64
	// Burst is how many of them may come at one moment. If zero, what Rate allows in one second, at least 1.
	Burst int
	// Ban refuses sources that keep failing for a while. If zero, nobody is banned.
	Ban BanConfig
	// Descriptors keeps file descriptors back. If zero, nothing does.
	Descriptors *Descriptors
	// DescriptorsEach is how many of them one connection takes. If zero, none.
	DescriptorsEach int
	// Total bounds the connections of all listeners that share it. If zero, nothing does.
	Total *TotalLimit
	// Logger takes refusals and bans, at most one line of a kind in 10 s. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts refusals and bans. If zero, an unregistered set.
	Metrics *Metrics
}

// Admission decides who may connect to one listener. It is safe for concurrent use and never waits; a nil *Admission
// admits everybody.
type Admission struct {
	access    atomic.Pointer[AccessList]
	bans      *bans
	perSource *sourceLimit
	open      connLimit
	total     *TotalLimit
	files     *Descriptors
	filesEach int
	rate      *rate.Limiter // nil: any rate
	refusals  *refusalLog
}

// New fails where a figure makes no sense; the error names it and the listener.
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
		bans: newBans(cfg.Ban, cfg.Listener, log, cfg.Metrics), perSource: newSourceLimit(cfg.MaxPerSource),
		files: cfg.Descriptors, filesEach: cfg.DescriptorsEach, total: cfg.Total,
		rate: newConnectionRate(cfg.Rate, cfg.Burst), refusals: newRefusalLog(cfg.Listener, log, cfg.Metrics),
	}
	a.open.maximum = int64(cfg.MaxConnections)
	a.SetAccess(cfg.Access)
	return a, nil
}

func (c *Config) check() error {
	switch {
	case c.MaxConnections < 0:
		return fmt.Errorf("at most %d connections: it must not be negative", c.MaxConnections)
	case c.MaxPerSource < 0:
		return fmt.Errorf("at most %d connections of one source: it must not be negative", c.MaxPerSource)
	case c.Rate < 0 || math.IsNaN(c.Rate) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("%v new connections a second: it must be a number and not negative", c.Rate)
	case c.Burst < 0:
		return fmt.Errorf("a burst of %d connections: it must not be negative", c.Burst)
	case c.Burst > 0 && c.Rate == 0:
		return fmt.Errorf("a burst of %d connections means nothing without a rate", c.Burst)
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

// SetAccess replaces the access list; nil lets everybody in. Connections that are open stay.
func (a *Admission) SetAccess(list *AccessList) { a.access.Store(list) }

// Admit takes a place for a connection from address, which is invalid where the peer has none, as on a unix socket.
// Where it returns false the connection is to be closed at once; why is counted and logged. Otherwise the ticket must
// be released when the connection has ended.
func (a *Admission) Admit(address netip.Addr) (Ticket, bool) {
	t, ok := a.AdmitSilent(address)
	return t.settled(ok)
}

// AdmitSilent is Admit for a connection that has to say something first, a ClientHello or a PROXY header: it does not
// count against the listener's limits and its rate until [Ticket] is settled, so that connections that stay silent take
// nothing from others.
func (a *Admission) AdmitSilent(address netip.Addr) (Ticket, bool) {
	if a == nil {
		return Ticket{}, true
	}
	from := sourceOf(address)
	if r := a.enterSource(address, from); r != admitted {
		a.refusals.refused(r, from)
		return Ticket{}, false
	}
	if !a.files.enter(a.filesEach) {
		a.perSource.leave(from)
		a.refusals.refused(refusedDescriptors, from)
		return Ticket{}, false
	}
	return Ticket{admission: a, source: from, perSource: true}, true
}

// AdmitProxy is Admit for a trusted proxy, which brings connections of many devices: its bans and its number of
// connections do not count. [Ticket.Rebind] then counts the device.
func (a *Admission) AdmitProxy(address netip.Addr) (Ticket, bool) {
	t, ok := a.AdmitSilentProxy(address)
	return t.settled(ok)
}

// AdmitSilentProxy is AdmitProxy as AdmitSilent is Admit.
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

// Allowed reports whether the access list and the bans let address in. A refusal is counted and logged; nothing is
// taken.
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
	case a.bans.banned(from):
		return refusedBan
	}
	return admitted
}

func (a *Admission) enterSource(address netip.Addr, from source) refusal {
	if r := a.known(address, from); r != admitted {
		return r
	}
	if !a.perSource.enter(from) {
		return refusedMaxPerSource
	}
	return admitted
}

// enter takes a place of the listener and one of all. The rate is asked last, so that what is refused for another
// reason spends none of it.
func (a *Admission) enter() refusal {
	if !a.open.enter() {
		return refusedMaxConnections
	}
	if !a.total.enter() {
		a.open.leave()
		return refusedMaxTotal
	}
	if a.rate != nil && !a.rate.Allow() {
		a.leave()
		return refusedRate
	}
	return admitted
}

func (a *Admission) leave() {
	a.total.leave()
	a.open.leave()
}
