package gateway

import (
	"sync"
	"time"
)

// bucket is a token bucket that may go into debt: what was read is charged in full, and the reading waits until the debt is paid. So no read
// is ever too large for its limit, and not a byte is lost.
type bucket struct {
	rate, burst float64 // tokens a second, and how many may be saved up
	tokens      float64
	last        time.Duration
}

// defaultBurst is the part of a second's tokens that may be saved up where the configuration does not say: small, so that the rate holds over any
// ten seconds within 5 %.
const defaultBurst = 0.05

func newBucket(rate, burst float64, now time.Duration) *bucket {
	if rate <= 0 {
		return nil
	}
	if burst <= 0 {
		burst = rate * defaultBurst
	}
	return &bucket{rate: rate, burst: burst, tokens: burst, last: now}
}

// fill adds the tokens that came since the last time.
func (b *bucket) fill(now time.Duration) {
	b.tokens = min(b.burst, b.tokens+(now-b.last).Seconds()*b.rate)
	b.last = now
}

// until returns how long to wait for n tokens.
func (b *bucket) until(n float64) time.Duration {
	if b.tokens >= n {
		return 0
	}
	return time.Duration((n - b.tokens) / b.rate * float64(time.Second))
}

// take charges n tokens and returns how long to wait for the debt to be paid. A nil bucket is no limit.
func (b *bucket) take(n float64, now time.Duration) time.Duration {
	if b == nil {
		return 0
	}
	b.fill(now)
	b.tokens -= n
	return b.until(0)
}

// The names of what can stop the reading of a socket, in exgate_read_pauses_total.
const (
	pauseHandler          = "handler"
	pauseUpstream         = "upstream"
	pauseBytes            = "bytes_rate"
	pauseMessages         = "messages_rate"
	pausePublishes        = "publishes_rate"
	pauseListenerBytes    = "listener_bytes_rate"
	pauseListenerMessages = "listener_messages_rate"
)

// rates are the buckets of one connection. Guarded by Conn.mu.
type rates struct {
	bytes, messages, publishes *bucket
	shared                     *sharedRates

	bounded bool    // publishes have a burst that was asked for: none goes beyond it
	atOnce  float64 // publishes since the last read, also refused ones, where bounded
	most    float64 // that there were at once, at most the burst
}

// sharedRates are the buckets of a listener, for all its connections together.
type sharedRates struct {
	mu              sync.Mutex // guards the fields below
	bytes, messages *bucket
}

func newSharedRates(cfg ListenerConfig, now time.Duration) *sharedRates {
	s := &sharedRates{
		bytes:    newBucket(float64(cfg.ListenerBytesPerSecond), 0, now),
		messages: newBucket(cfg.ListenerMessagesPerSecond, 0, now),
	}
	if s.bytes == nil && s.messages == nil {
		return nil
	}
	return s
}

// newRates returns nil where nothing is limited.
func newRates(l *Limits, shared *sharedRates, now time.Duration) *rates {
	r := &rates{
		bytes:     newBucket(float64(l.BytesPerSecond), float64(l.BytesBurst), now),
		messages:  newBucket(l.MessagesPerSecond, l.MessagesBurst, now),
		publishes: newBucket(l.PublishesPerSecond, l.PublishesBurst, now),
		shared:    shared,
	}
	if *r == (rates{}) {
		return nil
	}
	r.bounded = r.publishes != nil && l.PublishesBurst >= 1
	return r
}

// publish charges a publish, or reports that it is one too many; the caller holds the connection's mu. A rate alone goes into debt, as for what was
// read. A burst that was asked for bounds also what one event publishes: no debt, but a refusal. So that this does not meet a device that is only
// fast, the reading waits until the burst holds as many as its events have published at once so far.
func (r *rates) publish(g *gate, now time.Duration) bool {
	switch {
	case r.publishes == nil:
		return true
	case !r.bounded:
		g.hold(pausePublishes, r.publishes.take(1, now), now)
		return true
	}
	r.publishes.fill(now)
	r.atOnce++
	r.most = max(r.most, min(r.atOnce, r.publishes.burst))
	ok := r.publishes.tokens >= 1
	if ok {
		r.publishes.tokens--
	}
	g.hold(pausePublishes, r.publishes.until(r.most), now)
	return ok
}

// read charges a read of n bytes; the caller holds the connection's mu.
func (r *rates) read(g *gate, n int, now time.Duration) {
	r.atOnce = 0
	g.hold(pauseBytes, r.bytes.take(float64(n), now), now)
	g.hold(pauseMessages, r.messages.take(1, now), now)
	if r.shared == nil {
		return
	}
	r.shared.mu.Lock()
	defer r.shared.mu.Unlock()
	g.hold(pauseListenerBytes, r.shared.bytes.take(float64(n), now), now)
	g.hold(pauseListenerMessages, r.shared.messages.take(1, now), now)
}

// charge counts a read against the connection's rates.
func (c *Conn) charge(n int) {
	if c.rates == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rates.read(&c.gate, n, c.gw.now())
}
