package gateway

import (
	"sync"
	"time"
)

// gate says whether the socket may be read. Guarded by Conn.mu.
type gate struct {
	paused bool          // by the handler
	calls  int           // upstream calls in flight
	window int           // publishes among them
	bytes  int           // bytes of their payloads
	until  time.Duration // a rate keeps it shut until then, on Gateway.now's clock
	why    string        // which rate
	wait   chan struct{} // created by a waiting reader, closed to wake it
	wake   func()        // set by WhenReadable
}

// block keeps the gate shut for d from now, because of a rate.
func (g *gate) block(why string, d, now time.Duration) {
	if d > 0 && now+d > g.until {
		g.until, g.why = now+d, why
	}
}

// full reports whether something other than a rate keeps the gate shut, and what.
func (g *gate) full(l *Limits) (why string, full bool) {
	switch {
	case g.paused:
		return pauseHandler, true
	case g.window >= l.PublishWindow || g.bytes >= l.PublishWindowBytes:
		return pauseUpstream, true
	}
	return "", false
}

func (g *gate) shut(l *Limits, now time.Duration) bool {
	_, full := g.full(l)
	return full || (g.until > 0 && g.until > now)
}

// open wakes the reader.
func (g *gate) open() {
	if g.wait != nil {
		close(g.wait)
		g.wait = nil
	}
	if g.wake != nil {
		go g.wake()
		g.wake = nil
	}
}

// WaitReadable blocks while the handler has paused the connection, too many publishes are in flight, or a rate is
// exceeded. It returns [ErrClosed] once the connection has ended.
func (c *Conn) WaitReadable() error {
	for paused := ""; ; {
		wait, timer, why := c.gateWait()
		if wait == nil {
			break
		}
		if why != paused {
			c.metrics.paused(why)
			paused = why
		}
		await(wait, timer)
	}
	if c.closing.Load() {
		return ErrClosed
	}
	return nil
}

// Readable reports whether WaitReadable would return nil at once.
func (c *Conn) Readable() bool {
	wait, _, _ := c.gateWait()
	return wait == nil && !c.closing.Load()
}

// Charge counts n bytes that are not part of a Receive, such as a control frame, against the connection's rates, as one
// message.
func (c *Conn) Charge(n int) { c.charge(n) }

// await waits until wait is closed or, if d is not 0, until d has passed.
func await(wait <-chan struct{}, d time.Duration) {
	if d == 0 {
		<-wait
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-wait:
	case <-timer.C:
	}
}

// gateWait returns what the reader has to wait for and why, or nil if the socket may be read. If d is not 0, the gate
// opens by itself after d.
func (c *Conn) gateWait() (wait chan struct{}, d time.Duration, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return nil, 0, ""
	}
	why, full := c.gate.full(c.limits)
	if !full {
		if c.gate.until == 0 {
			return nil, 0, ""
		}
		if d = c.gate.until - c.gw.now(); d <= 0 {
			c.timers.touch(c.gw.now())
			c.gate.until = 0
			return nil, 0, ""
		}
		why = c.gate.why
	}
	if c.gate.wait == nil {
		c.gate.wait = make(chan struct{})
	}
	return c.gate.wait, d, why
}

// OverRate reports whether the connection has received more than a rate allows. Datagrams cannot be held back: their
// listeners drop and count those that arrive meanwhile.
func (c *Conn) OverRate() bool {
	if c.rates == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closing.Load() && c.gate.until > c.gw.now()
}

// WhenReadable reports whether the handler and the upstream can take more, or the connection has ended. Otherwise it
// calls wake once, on a new goroutine, when they can. A later call replaces wake. It is WaitReadable for listeners
// without a goroutine for each connection.
func (c *Conn) WhenReadable(wake func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	why, full := c.gate.full(c.limits)
	if c.closing.Load() || !full {
		return true
	}
	if c.gate.wake == nil {
		c.metrics.paused(why)
	}
	c.gate.wake = wake
	return false
}

// Pause stops reading the socket until Resume.
func (c *Conn) Pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gate.paused = true
}

// Resume ends Pause.
func (c *Conn) Resume() Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return resultNotAlive
	}
	c.gate.paused = false
	c.reopen()
	return OK
}

// reopen wakes the reader unless something other than a rate still keeps the gate shut; the caller holds mu.
func (c *Conn) reopen() {
	if _, full := c.gate.full(c.limits); !full && (c.gate.wait != nil || c.gate.wake != nil) {
		c.timers.touch(c.gw.now()) // the device was not silent: its socket was not read
		c.gate.open()
	}
}

// bucket is a token bucket that may go into debt: a read is charged in full, and reading pauses until the debt is paid.
// So no read is too large for its limit, and no byte is lost.
type bucket struct {
	rate, burst float64 // tokens a second, and how many may be saved up
	tokens      float64
	last        time.Duration
}

// defaultBurst is the part of a second's tokens that may be saved up if no burst is configured: small, so that the rate
// is kept within 5 % over any ten seconds.
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

// fill adds the tokens earned since the last call.
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

// take charges n tokens and returns how long to wait for the debt to be paid. A nil bucket sets no limit.
func (b *bucket) take(n float64, now time.Duration) time.Duration {
	if b == nil {
		return 0
	}
	b.fill(now)
	b.tokens -= n
	return b.until(0)
}

// Why a socket is not read, as exgate_read_pauses_total names it.
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

	bounded bool    // a burst of publishes is configured: those beyond it are refused
	atOnce  float64 // publishes since the last read, including refused ones; counted only if bounded
	most    float64 // the largest atOnce so far, at most the burst
}

// sharedRates are the buckets that all connections of a listener share.
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

// newRates returns nil if nothing is limited.
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

// publish charges a publish and reports whether it is allowed; the caller holds the connection's mu. A rate alone goes
// into debt, as it does for bytes read. A configured burst also bounds what one event publishes: publishes beyond it
// are refused. So that a device that is merely fast is not refused, reading pauses until the burst holds as many tokens
// as the device's events have published at once so far.
func (r *rates) publish(g *gate, now time.Duration) bool {
	switch {
	case r.publishes == nil:
		return true
	case !r.bounded:
		g.block(pausePublishes, r.publishes.take(1, now), now)
		return true
	}
	r.publishes.fill(now)
	r.atOnce++
	r.most = max(r.most, min(r.atOnce, r.publishes.burst))
	ok := r.publishes.tokens >= 1
	if ok {
		r.publishes.tokens--
	}
	g.block(pausePublishes, r.publishes.until(r.most), now)
	return ok
}

// read charges a read of n bytes; the caller holds the connection's mu.
func (r *rates) read(g *gate, n int, now time.Duration) {
	r.atOnce = 0
	g.block(pauseBytes, r.bytes.take(float64(n), now), now)
	g.block(pauseMessages, r.messages.take(1, now), now)
	if r.shared == nil {
		return
	}
	r.shared.mu.Lock()
	defer r.shared.mu.Unlock()
	g.block(pauseListenerBytes, r.shared.bytes.take(float64(n), now), now)
	g.block(pauseListenerMessages, r.shared.messages.take(1, now), now)
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

// Peeker is implemented by transports that can tell what the next read would return without reading.
type Peeker interface {
	// Peek returns nil if the next read would return bytes or block, and otherwise the error that it would return:
	// io.EOF if the peer has closed. Peek never blocks. It is called while the goroutine that reads the transport is in
	// [Conn.Receive].
	Peek() error
}

// peekInterval is how often the socket of a held connection is checked.
const peekInterval = time.Second

// heldEvent is an event that waits for its handler.
type heldEvent struct {
	interrupt func()
	peek      *time.Timer // nil if the transport cannot peek, or the reading goroutine will notice
}

func (h *heldEvent) stop() {
	if h.peek != nil {
		h.peek.Stop()
	}
}

// Hold declares that the current event waits; see [ConnectionAdapter].
func (c *Conn) Hold(interrupt func()) (release func()) {
	c.mu.Lock()
	leaving := c.inbox.leaving
	if c.closing.Load() || leaving {
		c.mu.Unlock()
		if leaving {
			c.Close(ReasonShutdown)
		}
		return nil
	}
	defer c.mu.Unlock()
	h := &heldEvent{interrupt: interrupt}
	if p, ok := c.transport.(Peeker); ok && c.inbox.reading {
		h.peek = time.AfterFunc(peekInterval, func() { c.peek(h, p) })
	}
	c.held = h
	return func() { c.release(h) }
}

// release ends h, unless Close already has.
func (c *Conn) release(h *heldEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.stop()
	if c.held == h {
		c.held = nil
		c.restartTimers() // the device could not be heard
	}
}

// peek closes a held connection whose peer has gone.
func (c *Conn) peek(h *heldEvent, p Peeker) {
	c.mu.Lock()
	held := c.held == h
	c.mu.Unlock()
	if !held {
		return
	}
	if err := p.Peek(); err != nil {
		c.Close(c.socketReason(err))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == h {
		h.peek.Reset(peekInterval)
	}
}

// interrupted ends the hold of a closing connection and returns what to call without mu; the caller holds mu.
func (c *Conn) interrupted() func() {
	if c.held == nil {
		return nil
	}
	h := c.held
	c.held = nil
	h.stop()
	return h.interrupt
}
