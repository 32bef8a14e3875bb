package gateway

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

var (
	_ ConnectionAdapter = (*Conn)(nil)
	_ Downlink          = (*Conn)(nil)
)

// ErrClosed is what a listener gets for a connection that has ended.
var ErrClosed = errors.New("connection closed")

var resultNotAlive = Result{Code: CodeConnProcessNotAlive, Message: "connection closed"}

// Conn is one device's connection: the meeting point of its socket, its handler and its upstream session.
//
// The listener calls WaitReadable, Receive and ReadEnded from the goroutine that reads the socket. Everything else may
// be called from any goroutine.
type Conn struct {
	id        string
	gw        *Gateway
	metrics   *listenerMetrics
	limits    *Limits
	transport Transport
	framed    FramedTransport // transport, if it is one
	info      ConnInfo
	handler   ConnectionHandler
	factory   *lease[HandlerFactory]
	upstream  *lease[Connector]
	topics    *topicRules
	opened    time.Time

	waits   bool        // the handler's factory is a [WaitingFactory]
	closing atomic.Bool // set under mu

	mu     sync.Mutex // guards the fields below
	reason CloseReason
	inbox  inbox
	gate   gate
	login  login
	timers timers
	alarms *alarms    // nil until SetTimer
	state  *connState // nil unless the handler keeps state and the device is logged in
	rates  *rates     // nil if nothing is limited
	held   *heldEvent // of the running event, nil unless it waits

	backlog backlog
	results results
	out     sendQueue // has a lock of its own: a write never delays an event
}

// newConn makes the connection of t and its handler, but delivers nothing yet.
func newConn(gw *Gateway, l *attachment, t Transport) (*Conn, error) {
	c := &Conn{
		id: newID(gw.node), gw: gw, metrics: l.metrics, limits: l.limits, transport: t, info: t.Info(),
		factory: l.handler, upstream: l.connector, topics: l.topics, opened: time.Now(),
	}
	c.framed, _ = t.(FramedTransport)
	c.rates = newRates(c.limits, l.rates, gw.now())
	_, c.waits = l.handler.value.(WaitingFactory)
	h, err := l.newHandler(l.handler.value, c)
	if err != nil {
		return nil, err
	}
	c.handler = h
	// until start, so that no event precedes OnSocketCreated
	c.inbox.running, c.inbox.reading, c.inbox.busy = true, true, true
	return c, nil
}

// ID is the connection's name in ExProto's conn field: 128 random bits in base 32, '@' and the gateway's node.
func (c *Conn) ID() string { return c.id }

// Info describes the peer.
func (c *Conn) Info() ConnInfo { return c.info }

// Listener returns the name of the connection's listener.
func (c *Conn) Listener() string { return c.metrics.name }

// Opened is when the connection was accepted.
func (c *Conn) Opened() time.Time { return c.opened }

// Client returns the client that the handler authenticated; ok is false before that.
func (c *Conn) Client() (client ClientInfo, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.login.client, c.login.state == loginDone
}

// start delivers OnSocketCreated on the calling goroutine.
func (c *Conn) start() {
	if w := c.worker(); w != nil {
		w.BeginWait()
		defer w.EndWait()
	}
	c.armIdleTimer()
	c.armAuthDeadline()
	c.dispatch("created", func() error { return c.handler.OnSocketCreated(c.info) })
	c.yield()
}

// Receive hands bytes of the device to the handler, on the calling goroutine, and returns when the handler is done with
// them. It returns [ErrClosed] once the connection has ended.
func (c *Conn) Receive(b []byte) error {
	if w := c.worker(); w != nil {
		w.BeginWait()
		defer w.EndWait()
	}
	c.acquire()
	if !c.closing.Load() {
		c.touch()
		c.charge(len(b))
		c.metrics.received.Add(float64(len(b)))
		c.receive(b)
	}
	c.yield()
	if c.closing.Load() {
		return ErrClosed
	}
	return nil
}

// worker returns the transport if the calling goroutine is one that connections share and the handler may wait.
func (c *Conn) worker() WorkerTransport {
	if !c.waits {
		return nil
	}
	w, _ := c.transport.(WorkerTransport)
	return w
}

// receive hands b to the handler in events of at most MaxEventBytes.
func (c *Conn) receive(b []byte) {
	defer c.recoverHandler()
	limit := c.limits.MaxEventBytes
	if limit == 0 {
		limit = len(b)
	}
	if len(b) > limit && c.info.SocketType >= SocketUDP {
		c.metrics.drop(droppedTooLarge, 1)
		return
	}
	if c.framed != nil {
		limit = len(b) // a message is one event; its listener bounds it
	}
	for { // at least once: a datagram may be empty
		n := min(len(b), limit)
		c.metrics.bytesEvents.Inc()
		if err := c.handler.OnReceivedBytes(b[:n]); err != nil {
			c.fail(err)
			return
		}
		if b = b[n:]; len(b) == 0 || c.closing.Load() {
			return
		}
	}
}

// dispatch runs one event of the handler.
func (c *Conn) dispatch(name string, event func() error) {
	defer c.recoverHandler()
	c.metrics.set.events.WithLabelValues(c.metrics.name, name).Inc()
	if err := event(); err != nil {
		c.fail(err)
	}
}

// fail closes the connection for an error of its handler.
func (c *Conn) fail(err error) { c.Close(ReasonOf(err)) }

// recoverHandler keeps a panic in one connection's handler from ending other connections.
func (c *Conn) recoverHandler() {
	if p := recover(); p != nil {
		c.gw.log.Error("handler panicked", "listener", c.metrics.name, "conn", c.id, "panic", p, "stack",
			string(debug.Stack()))
		c.Close(ReasonHandlerFailed.With("panic: %v", p))
	}
}

// Close ends the connection for reason; only the first call counts. Queued bytes are still sent, and OnSocketClosed is
// the last event.
func (c *Conn) Close(reason CloseReason) Result {
	c.mu.Lock()
	if c.closing.Load() {
		c.mu.Unlock()
		return resultNotAlive
	}
	c.closing.Store(true)
	c.reason = reason
	c.timers.stop()
	c.alarms.stop()
	c.login.stopDeadline()
	c.state.close(c)
	c.gate.open()
	session, cancel := c.login.end()
	interrupt := c.interrupted()
	c.dropWaiting()
	c.enqueue(event{kind: eventClosed})
	c.mu.Unlock()

	if interrupt != nil {
		interrupt()
	}
	c.out.shutdown(c, reason)
	if cancel != nil {
		cancel()
	}
	if session != nil {
		session.Close()
	}
	return OK
}

// SessionLost closes the connection because its upstream session ended for good.
func (c *Conn) SessionLost(reason CloseReason) { c.Close(reason) }

// closed is the last event: it runs once.
func (c *Conn) closed() {
	c.mu.Lock()
	reason := c.reason
	c.mu.Unlock()
	c.dispatch("closed", func() error { return c.handler.OnSocketClosed(reason) })
	c.metrics.closed(reason)
	c.metrics.connections.Dec()
	c.logClosed(reason)
	c.gw.forget(c)
}

// logClosed logs the end of a connection: a handler's failure as a warning, anything else at debug level.
func (c *Conn) logClosed(reason CloseReason) {
	level := slog.LevelDebug
	if reason.Code >= ReasonHandlerFailed.Code && reason.Code < ReasonDiscarded.Code {
		level = slog.LevelWarn
	}
	ctx := context.Background()
	if !c.gw.log.Enabled(ctx, level) {
		return
	}
	suppressed, ok := 0, true
	if level > slog.LevelDebug {
		suppressed, ok = c.metrics.closeLines.Allow(c.id, time.Now())
	}
	if !ok {
		return
	}
	c.mu.Lock()
	client := c.login.client
	c.mu.Unlock()
	attrs := append(c.deviceAttrs(client), slog.String("reason", reason.Name),
		slog.String("detail", clip(reason.Detail)),
		slog.String("lasted", time.Since(c.opened).Round(time.Millisecond).String()))
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	c.gw.log.LogAttrs(ctx, level, "connection closed", attrs...)
}
