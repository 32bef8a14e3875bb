package embedded

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/connectors/access"
)

// writeTimeout is how long a network client may leave what it is sent unread before it is cut off.
const writeTimeout = 10 * time.Second

// connectTimeout is how long a network client has until its CONNECT is there; mochi has no such limit. mochi replaces the deadline
// with that of the keep-alive afterwards.
const connectTimeout = 10 * time.Second

// boundedListener bounds the number of connections and can close all of them at once, blocked writers included.
type boundedListener struct {
	net.Listener
	max int
	log *slog.Logger

	mu     sync.Mutex
	open   map[*trackedConn]struct{} // guarded by mu
	closed bool                      // guarded by mu
}

func newBoundedListener(l net.Listener, limit int, log *slog.Logger) *boundedListener {
	return &boundedListener{Listener: l, max: limit, log: log, open: map[*trackedConn]struct{}{}}
}

// Accept goes on after errors of single connections: mochi would stop listening.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			if l.isClosed() {
				return nil, err
			}
			l.log.Warn("embedded broker could not accept a connection", "error", err)
			time.Sleep(50 * time.Millisecond) // out of file descriptors: let some close
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
	if len(l.open) >= l.max {
		l.log.Warn("embedded broker refused a connection: it has as many as it may", "max_clients", l.max, "remote", conn.RemoteAddr())
		return nil
	}
	c := &trackedConn{Conn: conn, listener: l}
	l.open[c] = struct{}{}
	_ = conn.SetDeadline(time.Now().Add(connectTimeout))
	return c
}

// Close stops listening. Connections stay.
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
	}
}

type trackedConn struct {
	net.Conn
	listener *boundedListener
	answer   atomic.Pointer[access.Answer] // of the client that has logged in
	expiry   *time.Timer                   // nil: the login does not expire; guarded by listener.mu
}

// login keeps the answer that a client has logged in with, and calls end when it expires.
func (c *trackedConn) login(answer access.Answer, end func()) {
	c.answer.Store(&answer)
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	if _, open := c.listener.open[c]; open && !answer.Expires.IsZero() {
		c.expiry = time.AfterFunc(time.Until(answer.Expires), end)
	}
}

// Write closes the connection where the peer does not read: mochi would go on writing.
func (c *trackedConn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

// Close frees the connection's place.
func (c *trackedConn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.open, c)
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
