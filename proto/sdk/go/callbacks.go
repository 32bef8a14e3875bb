package handler

import (
	"sync"

	"github.com/exgate/exgate/proto/exproto"
)

// callbacks serves the connections of the dialects with RPCs for events and for calls.
type callbacks struct {
	cfg     *Config
	adapter exproto.ConnectionAdapterClient
	conns   sync.Map // id to *Conn
}

func newCallbacks(cfg *Config, adapter exproto.ConnectionAdapterClient) *callbacks {
	return &callbacks{cfg: cfg, adapter: adapter}
}

func (s *callbacks) created(r *exproto.SocketCreatedRequest) {
	c := s.newConn(r.GetConn())
	c.info = r.GetConninfo()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.conns.Store(c.id, c)
	s.run(c, c.handler.OnSocketCreated)
}

// run runs one callback; the caller holds c.mu.
func (s *callbacks) run(c *Conn, callback func(*Conn)) {
	defer s.cfg.recoverCallback(c)
	callback(c)
}

func (s *callbacks) newConn(id string) *Conn {
	return &Conn{id: id, handler: s.cfg.New(), gateway: &adapterCalls{conn: id, adapter: s.adapter}}
}

func (s *callbacks) closed(r *exproto.SocketClosedRequest) {
	found, ok := s.conns.LoadAndDelete(r.GetConn())
	if !ok {
		return
	}
	c := found.(*Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	s.run(c, func(c *Conn) { c.handler.OnSocketClosed(c, r.GetReason()) })
}

// with runs a callback. An unknown connection is older than this process: the gateway held it meanwhile.
func (s *callbacks) with(id string, callback func(*Conn)) {
	found, ok := s.conns.Load(id)
	if !ok {
		found, ok = s.conns.LoadOrStore(id, s.newConn(id))
	}
	c := found.(*Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok {
		c.resumed = true
		s.run(c, c.handler.OnSocketCreated)
	}
	s.run(c, callback)
}

func (s *callbacks) bytes(r *exproto.ReceivedBytesRequest) {
	s.with(r.GetConn(), func(c *Conn) { c.handler.OnReceivedBytes(c, r.GetBytes()) })
}

func (s *callbacks) timer(r *exproto.TimerTimeoutRequest) {
	s.with(r.GetConn(), func(c *Conn) { c.handler.OnTimerTimeout(c) })
}

func (s *callbacks) messages(r *exproto.ReceivedMessagesRequest) {
	s.with(r.GetConn(), func(c *Conn) { c.handler.OnReceivedMessages(c, withProperties(r.GetMessages(), nil)) })
}
