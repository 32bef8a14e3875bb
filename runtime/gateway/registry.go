package gateway

import (
	"context"
	"iter"
	"slices"
	"sync"
)

// clients tracks which connection owns a client id, and lets connections with the same client id log in one after the
// other.
type clients struct {
	mu sync.Mutex // guards the fields below
	by map[string]*clientEntry
}

type clientEntry struct {
	conn  *Conn
	login chan struct{} // holds a token while a login is in progress; nil until one is
	users int           // logins in progress or waiting
}

// lock waits until no other login with the client id is in progress.
func (s *clients) lock(ctx context.Context, id string) (release func(), err error) {
	s.mu.Lock()
	if s.by == nil {
		s.by = make(map[string]*clientEntry)
	}
	e := s.by[id]
	if e == nil {
		e = &clientEntry{}
		s.by[id] = e
	}
	if e.login == nil {
		e.login = make(chan struct{}, 1)
	}
	e.users++
	turn := e.login
	s.mu.Unlock()

	select {
	case turn <- struct{}{}:
		return func() { <-turn; s.leave(id, e) }, nil
	case <-ctx.Done():
		s.leave(id, e)
		return nil, ctx.Err()
	}
}

func (s *clients) leave(id string, e *clientEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.users--; e.users > 0 {
		return
	}
	e.login = nil
	if e.conn == nil {
		delete(s.by, id)
	}
}

// claim makes c the owner of id and returns the previous owner. The caller has locked id.
func (s *clients) claim(id string, c *Conn) (older *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.by[id]
	older, e.conn = e.conn, c
	return older
}

// release gives up id if c still owns it.
func (s *clients) release(id string, c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.by[id]
	if e == nil || e.conn != c {
		return
	}
	e.conn = nil
	if e.users == 0 {
		delete(s.by, id)
	}
}

// Conn finds a connection by its id.
func (g *Gateway) Conn(id string) (*Conn, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, ok := g.conns[id]
	return c, ok
}

// Conns returns a snapshot of the open connections.
func (g *Gateway) Conns() iter.Seq[*Conn] {
	return slices.Values(g.connsWhere(func(*Conn) bool { return true }))
}

func (g *Gateway) connsWhere(match func(*Conn) bool) []*Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []*Conn
	for _, c := range g.conns {
		if match(c) {
			found = append(found, c)
		}
	}
	return found
}

func (g *Gateway) remember(entry *listening, c *Conn) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listeners[entry.name] != entry {
		return errNotServing
	}
	g.conns[c.id] = c
	g.sockets.add()
	entry.metrics.opened.Inc()
	entry.metrics.connections.Inc()
	return nil
}

// forget removes a connection whose OnSocketClosed has been delivered.
func (g *Gateway) forget(c *Conn) {
	if client, ok := c.Client(); ok {
		g.clients.release(client.ClientID, c)
	}
	c.factory.release()
	c.upstream.release()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c.id)
	g.noteEnded(c) // last: Shutdown continues once no connection uses a handler or connector
}
