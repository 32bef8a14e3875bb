package embedded

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/internal/lograte"
)

// writeTimeout is how long a network client may read nothing while data is queued for it, before it is disconnected.
const writeTimeout = 10 * time.Second

// connectTimeout is how long a network client may take to send its CONNECT; mochi has no such limit, and replaces the
// deadline by that of the keep-alive afterwards.
const connectTimeout = 10 * time.Second

// boundedListener limits the number of connections and can close all of them at once, including those blocked in a
// write.
type boundedListener struct {
	net.Listener
	max     int
	log     *slog.Logger
	metrics *Metrics
	logged  lograte.Limiter
	queued  atomic.Int64 // bytes queued for all clients
	large   atomic.Int64 // bytes of large packets being read

	mu     sync.Mutex
	open   map[*trackedConn]struct{} // guarded by mu
	closed bool                      // guarded by mu
}

func newBoundedListener(l net.Listener, limit int, log *slog.Logger, metrics *Metrics) *boundedListener {
	return &boundedListener{Listener: l, max: limit, log: log, metrics: metrics, open: map[*trackedConn]struct{}{}}
}

// ended counts a connection that the broker ended for reason, and logs it at a limited rate.
func (l *boundedListener) ended(c *trackedConn, reason string, err error) {
	l.metrics.closed.WithLabelValues(reason).Inc()
	if silent, ok := l.logged.Allow(time.Now()); ok {
		l.log.Warn("embedded broker closed a connection", "reason", reason, "error", err, "client_id", c.name(),
			"remote", c.RemoteAddr(), "suppressed", silent)
	}
}

// Accept continues after errors of single connections: mochi would stop listening.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			if l.isClosed() {
				return nil, err
			}
			l.log.Warn("embedded broker could not accept a connection", "error", err)
			time.Sleep(50 * time.Millisecond) // out of file descriptors: wait until some are closed
			continue
		}
		if c := l.track(conn); c != nil {
			return c, nil
		}
		_ = conn.Close()
	}
}

func (l *boundedListener) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

func (l *boundedListener) track(conn net.Conn) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	c := &trackedConn{Conn: conn, listener: l, opened: time.Now(), frames: framing{large: &l.large}}
	c.out = outQueue{conn: conn, total: &l.queued, fail: func(reason string) { l.ended(c, reason, nil) }}
	if len(l.open) >= l.max && !l.makeRoom() {
		l.ended(c, closedMaxClients, nil)
		return nil
	}
	l.open[c] = struct{}{}
	_ = conn.SetReadDeadline(time.Now().Add(connectTimeout))
	return c
}

// makeRoom closes the oldest connection that has not logged in. The caller holds mu.
func (l *boundedListener) makeRoom() bool {
	var oldest *trackedConn
	for c := range l.open {
		if c.answer.Load() == nil && (oldest == nil || c.opened.Before(oldest.opened)) {
			oldest = c
		}
	}
	if oldest == nil {
		return false
	}
	delete(l.open, oldest)
	l.ended(oldest, closedEvicted, nil)
	go oldest.Close()
	return true
}

// Close stops listening. Open connections continue.
func (l *boundedListener) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	return l.Listener.Close()
}

func (l *boundedListener) closeAll() {
	_ = l.Close()
	l.mu.Lock()
	left := make([]*trackedConn, 0, len(l.open))
	for c := range l.open {
		left = append(left, c)
	}
	l.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
		c.out.abort()
	}
}

type trackedConn struct {
	net.Conn
	listener *boundedListener
	opened   time.Time
	answer   atomic.Pointer[access.Answer] // of the client's login
	clientID atomic.Pointer[string]
	out      outQueue

	// Owned by the reading goroutine.
	frames  framing
	readEnd time.Time   // the read deadline set by mochi
	partial time.Time   // when the current packet must be complete; zero between packets
	expiry  *time.Timer // nil if the login does not expire; guarded by listener.mu
}

// login stores the answer of the client's login, and calls end when it expires.
func (c *trackedConn) login(answer access.Answer, end func()) {
	c.answer.Store(&answer)
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	if _, open := c.listener.open[c]; open && !answer.Expires.IsZero() {
		c.expiry = time.AfterFunc(time.Until(answer.Expires), end)
	}
}

// name returns the client id, or "" before the login.
func (c *trackedConn) name() string {
	if id := c.clientID.Load(); id != nil {
		return *id
	}
	return ""
}

// Read ends the connection if the client sends something that would use too much memory, or does not complete a packet.
func (c *trackedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		if wrong := c.frames.read(b[:n]); wrong != nil {
			c.frames.release()
			c.listener.ended(c, closedBadPacket, wrong)
			_ = c.Close()
			return 0, wrong
		}
		c.boundPacket()
	}
	if err != nil {
		c.frames.release()
	}
	return n, err
}

// boundPacket sets the deadline for completing a packet that has begun. mochi's keep-alive may be off.
func (c *trackedConn) boundPacket() {
	switch partial := c.frames.partial(); {
	case partial && c.partial.IsZero():
		c.partial = time.Now().Add(packetTimeout)
		if c.readEnd.IsZero() || c.partial.Before(c.readEnd) {
			_ = c.Conn.SetReadDeadline(c.partial)
		}
	case !partial && !c.partial.IsZero():
		c.partial = time.Time{}
		_ = c.Conn.SetReadDeadline(c.readEnd)
	}
}

// SetDeadline is called by mochi for its keep-alive, before each packet. It limits reading only; writing has its own
// limits.
func (c *trackedConn) SetDeadline(t time.Time) error {
	c.readEnd = t
	if !c.partial.IsZero() && (t.IsZero() || c.partial.Before(t)) {
		t = c.partial
	}
	return c.Conn.SetReadDeadline(t)
}

// Write queues b and does not wait for the peer.
func (c *trackedConn) Write(b []byte) (int, error) { return c.out.write(b) }

// Close removes the connection from the listener.
func (c *trackedConn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.open, c)
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.listener.mu.Unlock()
	c.out.close()
	return nil
}
