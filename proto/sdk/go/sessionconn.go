package handler

import (
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
)

// sessionConn is a connection of a session. Its events queue here for the goroutine that runs its callbacks, which
// exists only while there are some. The gateway sends no more events than its window allows.
type sessionConn struct {
	*Conn
	session *session
	number  uint64
	calls   *sessionCalls

	mu      sync.Mutex // guards the fields below
	waiting []*handlerv1.Event
	running bool
}

func (x *session) newConn(number uint64, e *handlerv1.Created) *sessionConn {
	calls := &sessionCalls{
		out: x.out, conn: number, features: x.features, waiting: make(map[uint64]chan *handlerv1.Result),
	}
	return &sessionConn{
		Conn: &Conn{
			id: e.GetId(), info: e.GetConninfo(), properties: e.GetProperties(), client: e.GetClientinfo(),
			resumed: e.GetResumed(), handler: x.cfg.New(), gateway: calls,
		},
		session: x, number: number, calls: calls,
	}
}

// receive queues an event.
func (c *sessionConn) receive(e *handlerv1.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, e)
	c.start()
}

// lose ends a connection whose stream has ended. Queued events are dropped: the gateway sends them again.
func (c *sessionConn) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = []*handlerv1.Event{{
		Event: &handlerv1.Event_Closed{Closed: &handlerv1.Closed{Reason: ReasonStreamLost}},
	}}
	c.start()
}

// start starts run; the caller holds mu.
func (c *sessionConn) start() {
	if !c.running {
		c.running = true
		c.session.callbacks.Go(c.run)
	}
}

// run runs callbacks until no event is queued.
func (c *sessionConn) run() {
	var events []*handlerv1.Event
	for {
		c.mu.Lock()
		spare := events[:0]
		events, c.waiting = c.waiting, spare
		c.running = len(events) > 0
		c.mu.Unlock()
		if len(events) == 0 {
			return
		}
		for i, e := range events {
			events[i] = nil
			if e.GetClosed() == nil && c.session.out.ctx.Err() != nil {
				continue // it is sent again on another stream
			}
			c.handle(e)
			if seq := e.GetSeq(); seq != 0 {
				c.session.out.ack(c.number, seq)
			}
		}
	}
}

func (c *sessionConn) handle(e *handlerv1.Event) {
	defer c.session.cfg.recoverCallback(c.Conn)
	switch e := e.GetEvent().(type) {
	case *handlerv1.Event_Created:
		c.handler.OnSocketCreated(c.Conn)
	case *handlerv1.Event_Bytes:
		c.handler.OnReceivedBytes(c.Conn, e.Bytes)
	case *handlerv1.Event_TimerTimeout:
		c.handler.OnTimerTimeout(c.Conn)
	case *handlerv1.Event_Messages:
		m := e.Messages
		c.handler.OnReceivedMessages(c.Conn, withProperties(m.GetMessages(), m.GetProperties()))
	case *handlerv1.Event_Closed:
		c.handler.OnSocketClosed(c.Conn, e.Closed.GetReason())
	case *handlerv1.Event_Drain:
		if d, ok := c.handler.(Drainer); ok {
			d.OnDrain(c.Conn)
		}
	case *handlerv1.Event_Alarm:
		if a, ok := c.handler.(AlarmHandler); ok {
			a.OnAlarm(c.Conn, e.Alarm.GetId())
		}
	}
}

// sessionCalls is the gateway of one connection in a session.
type sessionCalls struct {
	out      *outbox
	conn     uint64
	features []string // of the gateway

	mu      sync.Mutex // guards the fields below
	token   uint64
	waiting map[uint64]chan *handlerv1.Result
	kept    []byte // the state that came with the login
	ended   bool
}

var _ gateway = (*sessionCalls)(nil)

var (
	errNotAlive = &Error{Code: CodeNotAlive, Message: "the connection is closed or its stream has ended"}
	errNoTimers = &Error{Code: CodeParamsTypeError, Message: "the gateway has no timers: it needs a newer version"}
	errNoState  = &Error{Code: CodeParamsTypeError, Message: "the gateway keeps no state: it needs a newer version"}
	errNoProps  = &Error{Code: CodeParamsTypeError, Message: "the gateway has no properties: it needs a newer version"}
)

func (g *sessionCalls) tell(command *handlerv1.Command) error {
	command.Conn = g.conn
	if g.over() || !g.out.put(command, size(command)) {
		return errNotAlive
	}
	return nil
}

// do sends a command and waits for its result, which the receiving goroutine delivers: callbacks may block here.
func (g *sessionCalls) do(command *handlerv1.Command) error {
	switch {
	case command.GetSetTimer() != nil && !slices.Contains(g.features, featureTimers):
		return errNoTimers
	case command.GetSaveState() != nil && !slices.Contains(g.features, featureState):
		return errNoState
	case command.GetPublish().GetProperties() != nil && !slices.Contains(g.features, featureProperties):
		return errNoProps
	}
	result, ok := g.begin(command)
	if !ok {
		return errNotAlive
	}
	defer g.forget(command.Token)
	if !g.out.put(command, size(command)) {
		return errNotAlive
	}
	select {
	case r, ok := <-result:
		if !ok {
			return errNotAlive
		}
		return resultError(r.GetCode(), r.GetMessage())
	case <-g.out.ctx.Done():
		return errNotAlive
	}
}

func (g *sessionCalls) begin(command *handlerv1.Command) (<-chan *handlerv1.Result, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return nil, false
	}
	g.token++
	result := make(chan *handlerv1.Result, 1)
	g.waiting[g.token] = result
	command.Conn, command.Token = g.conn, g.token
	return result, true
}

func (g *sessionCalls) forget(token uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.waiting, token)
}

func (g *sessionCalls) settle(r *handlerv1.Result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if result, ok := g.waiting[r.GetToken()]; ok {
		delete(g.waiting, r.GetToken())
		if len(r.GetState()) > 0 {
			g.kept = r.GetState()
		}
		result <- r
	}
}

func (g *sessionCalls) state() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.kept
}

func (g *sessionCalls) over() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended
}

// end fails the pending calls and all later ones.
func (g *sessionCalls) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	for _, result := range g.waiting {
		close(result)
	}
	clear(g.waiting)
}

// size estimates the size of a command.
func size(command *handlerv1.Command) int {
	return commandOverhead + len(command.GetSend()) + len(command.GetSaveState().GetState()) +
		len(command.GetPublish().GetPayload()) + proto.Size(command.GetPublish().GetProperties()) +
		len(command.GetRawPublish().GetPayload())
}

const commandOverhead = 64
