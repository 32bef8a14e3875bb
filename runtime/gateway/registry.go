package gateway

import (
	"context"
	"sync"
)

// clients knows which connection holds a client id, and lets connections of one client id log in one after the other.
type clients struct {
	mu sync.Mutex // guards the fields below
	by map[string]*clientEntry
}

type clientEntry struct {
	conn  *Conn
	turn  chan struct{} // holds a token while a login is under way; nil until one is
	users int           // logins under way and waiting
}

// lock waits for the client id's turn to log in.
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
	if e.turn == nil {
		e.turn = make(chan struct{}, 1)
	}
	e.users++
	turn := e.turn
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
	e.turn = nil
	if e.conn == nil {
		delete(s.by, id)
	}
}

// claim makes c the holder of id and returns the one before. The caller holds the id's turn.
func (s *clients) claim(id string, c *Conn) (older *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.by[id]
	older, e.conn = e.conn, c
	return older
}

// release ends c's hold of id, where it still holds it.
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
