package service

import (
	"container/list"
	"net"
	"sync"
)

// latest is a listener that keeps the latest connections: where there are as many as there may be, the oldest is closed for a new one. So a port that
// somebody holds connections to still answers others.
type latest struct {
	net.Listener
	most int

	mu   sync.Mutex // guards open
	open list.List  // of *latestConn, oldest first
}

type latestConn struct {
	net.Conn
	in    *latest
	place *list.Element // nil: closed; guarded by latest.mu
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

// add returns the one that is to be closed, if any.
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

// remove is called with mu held.
func (l *latest) remove(c *latestConn) {
	if c.place != nil {
		l.open.Remove(c.place)
		c.place = nil
	}
}

// Close gives the place back.
func (c *latestConn) Close() error {
	c.in.mu.Lock()
	c.in.remove(c)
	c.in.mu.Unlock()
	return c.Conn.Close()
}
