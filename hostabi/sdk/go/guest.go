package exproto

import "runtime"

// Guest is one running instance of a protocol. Its methods are called by the exports of a module; natively, by a test,
// see package exprototest.
type Guest struct {
	host       host
	newHandler NewHandler
	conns      map[int64]*Conn
	messages   []Message
	worked     uint32 // units of work since the scheduler last ran
}

// The kinds of events.
const (
	kindCreated  = 1
	kindClosed   = 2
	kindTimer    = 3
	kindMessages = 4
	kindResult   = 5
	kindDrain    = 6
	kindAlarm    = 7
)

// Init starts the protocol with the module's configuration. It returns 0, or logs the reason and returns 1 if the
// protocol refused.
func (g *Guest) Init(p Protocol, config []byte) int32 {
	if p == nil {
		g.host.Log(LevelError, "the module never called exproto.Serve: call it in an init function")
		return 1
	}
	newHandler, err := p(config)
	if err != nil {
		g.host.Log(LevelError, "starting: "+err.Error())
		return 1
	}
	g.newHandler, g.conns = newHandler, make(map[int64]*Conn)
	return 0
}

// Bytes delivers bytes from the device.
func (g *Guest) Bytes(conn int64, b []byte) Action {
	c, ok := g.conns[conn]
	if !ok {
		return Close
	}
	a := c.handler.OnReceivedBytes(b)
	g.yield(1 + len(b)/1024)
	return a
}

// Event delivers any other event.
func (g *Guest) Event(kind int32, conn, arg int64, body []byte) Action {
	a := g.event(kind, conn, arg, body)
	g.yield(4 + len(body)/1024)
	return a
}

func (g *Guest) event(kind int32, conn, arg int64, body []byte) Action {
	if kind == kindCreated {
		return g.created(conn, body)
	}
	c, ok := g.conns[conn]
	if !ok {
		return Close
	}
	switch kind {
	case kindClosed:
		delete(g.conns, conn)
		c.pending = nil
		c.handler.OnSocketClosed(string(body))
	case kindTimer:
		return c.handler.OnTimerTimeout(TimerType(uint32(arg)))
	case kindMessages:
		return g.received(c, body)
	case kindResult:
		return g.result(c, arg, body)
	case kindDrain:
		if d, ok := c.handler.(Drainer); ok {
			return d.OnDrain()
		}
	case kindAlarm:
		if a, ok := c.handler.(AlarmHandler); ok {
			return a.OnAlarm(uint32(arg))
		}
	}
	return Continue // also for kinds of a later minor version
}

func (g *Guest) created(conn int64, body []byte) Action {
	info, err := parseConnInfo(body)
	if err != nil {
		return g.malformed("ConnInfo", err)
	}
	c := &Conn{id: conn, host: g.host}
	c.handler = g.newHandler(c)
	g.conns[conn] = c
	return c.handler.OnSocketCreated(info)
}

func (g *Guest) received(c *Conn, body []byte) Action {
	all, err := parseMessages(g.messages[:0], body)
	if err != nil {
		return g.malformed("messages", err)
	}
	a := c.handler.OnReceivedMessages(all)
	clear(all)
	g.messages = all[:0]
	return a
}

func (g *Guest) result(c *Conn, token int64, body []byte) Action {
	r, err := parseResult(body)
	if err != nil {
		return g.malformed("result", err)
	}
	return c.result(token, r)
}

// malformed closes a connection whose event was not encoded as agreed.
func (g *Guest) malformed(what string, err error) Action {
	g.host.Log(LevelError, "reading the host's "+what+": "+err.Error())
	return Close
}

// yieldAfter is the number of units of work after which the scheduler runs, see yield.
const yieldAfter = 64

// yield lets the garbage collector work. In a module that only runs inside calls, nothing else does: without it no
// collection would end, and the guest would reach its memory limit.
func (g *Guest) yield(work int) {
	if g.worked += uint32(work); g.worked >= yieldAfter {
		g.worked = 0
		runtime.Gosched()
	}
}
