package guard

import (
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits are for all connections together. Each must be positive.
type Limits struct {
	Conns int // connections
	Calls int // calls whose message has not arrived completely
	Bytes int // received bytes of those messages
}

// Reason says why a connection was closed or refused.
type Reason string

// All reasons.
const (
	TooManyConns Reason = "too_many_connections"
	TooManyCalls Reason = "too_many_half_open_calls"
	TooManyBytes Reason = "too_many_half_open_bytes"
)

// Guard keeps the accounts of all connections.
type Guard struct {
	limits   Limits
	shed     func(Reason, net.Addr)
	unproven *rate.Limiter // of calls

	mu    sync.Mutex // guards the fields below and those of the connections
	conns map[*Conn]struct{}
	calls int
	bytes int
}

// New returns a Guard. It calls shed for each connection that it closes or refuses; shed must not block.
func New(limits Limits, shed func(Reason, net.Addr)) *Guard {
	return &Guard{
		limits: limits, shed: shed, unproven: rate.NewLimiter(unprovenRate, unprovenBurst),
		conns: make(map[*Conn]struct{}),
	}
}

// admit opens the account of a connection. If there are too many, it closes the oldest unproven one or, without one,
// the new one.
func (g *Guard) admit(c net.Conn) (*Conn, bool) {
	added := &Conn{Conn: c, guard: g, since: time.Now(), ended: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.conns) >= g.limits.Conns {
		oldest := g.oldestUnproven()
		if oldest == nil {
			g.shed(TooManyConns, c.RemoteAddr())
			return nil, false
		}
		g.close(oldest, TooManyConns)
	}
	g.conns[added] = struct{}{}
	return added, true
}

// oldestUnproven returns nil if all connections are proven; the caller holds mu.
func (g *Guard) oldestUnproven() *Conn {
	var oldest *Conn
	for c := range g.conns {
		if !c.proven && (oldest == nil || c.since.Before(oldest.since)) {
			oldest = c
		}
	}
	return oldest
}

// relieve closes a connection if calls or bytes are over their limit; the caller holds mu.
func (g *Guard) relieve() {
	switch {
	case g.calls > g.limits.Calls:
		g.close(g.heaviest(g.limits.Calls, func(c *Conn) int { return len(c.calls) }), TooManyCalls)
	case g.bytes > g.limits.Bytes:
		g.close(g.heaviest(g.limits.Bytes, func(c *Conn) int { return c.bytes }), TooManyBytes)
	}
}

// heaviest returns the unproven connection with the greatest load. If the unproven ones cannot have half of the limit
// together, it considers all; the caller holds mu.
func (g *Guard) heaviest(limit int, load func(*Conn) int) *Conn {
	var unproven, heaviest *Conn
	for c := range g.conns {
		if heaviest == nil || load(c) > load(heaviest) {
			heaviest = c
		}
		if !c.proven && (unproven == nil || load(c) > load(unproven)) {
			unproven = c
		}
	}
	if unproven != nil && load(unproven) > limit/(2*g.limits.Conns) {
		return unproven
	}
	return heaviest
}

// close closes a connection and its account at once, so that its share is free; the caller holds mu.
func (g *Guard) close(c *Conn, why Reason) {
	g.forget(c)
	g.shed(why, c.RemoteAddr())
	go c.Conn.Close() // TLS may wait for a writer
}

func (g *Guard) forget(c *Conn) {
	if _, known := g.conns[c]; !known {
		return
	}
	delete(g.conns, c)
	g.calls -= len(c.calls)
	g.bytes -= c.bytes
	c.calls, c.bytes = nil, 0
	close(c.ended)
}
