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
	most func() int // at least 1

	mu   sync.Mutex // guards open
	open list.List  // of *latestConn, oldest first
}

type latestConn struct {
	net.Conn
	in    *latest
	place *list.Element // nil after close; guarded by latest.mu
}

func newLatest(l net.Listener, most func() int) *latest { return &latest{Listener: l, most: most} }

// Accept waits for a connection.
func (l *latest) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &latestConn{Conn: conn, in: l}
	for _, oldest := range l.add(c) {
		_ = oldest.Close()
	}
	return c, nil
}

// add adds a connection and returns those to close.
func (l *latest) add(c *latestConn) (oldest []*latestConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for most := l.most(); l.open.Len() >= most; {
		first := l.open.Front().Value.(*latestConn)
		l.remove(first)
		oldest = append(oldest, first)
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
