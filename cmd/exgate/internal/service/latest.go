package service

import (
	"container/list"
	"net"
	"sync"
)

// latest is a listener that keeps the latest connections: when the limit is reached, it closes the oldest connection.
// So a client that holds connections open cannot lock out others.
type latest struct {
	net.Listener
	most int

	mu   sync.Mutex // guards open
	open list.List  // of *latestConn, oldest first
}

type latestConn struct {
	net.Conn
	in    *latest
	place *list.Element // nil after close; guarded by latest.mu
}

func newLatest(l net.Listener, most int) *latest { return &latest{Listener: l, most: most} }

// Accept waits for a connection.
func (l *latest) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &latestConn{Conn: conn, in: l}
	if oldest := l.add(c); oldest != nil {
		_ = oldest.Close()
	}
	return c, nil
}

// add adds a connection and returns the one to close, if any.
func (l *latest) add(c *latestConn) (oldest *latestConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open.Len() >= l.most {
		oldest = l.open.Front().Value.(*latestConn)
		l.remove(oldest)
	}
	c.place = l.open.PushBack(c)
	return oldest
}

// remove must be called with mu held.
func (l *latest) remove(c *latestConn) {
	if c.place != nil {
		l.open.Remove(c.place)
		c.place = nil
	}
}

// Close closes the connection and removes it from the list.
func (c *latestConn) Close() error {
	c.in.mu.Lock()
	c.in.remove(c)
	c.in.mu.Unlock()
	return c.Conn.Close()
}
