package session

import (
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
	"github.com/exgate/exgate/runtime/remote/target"
)

// conn is one connection in a session. Its events wait for room in the window, not for the handler. Only a timer and
// OnSocketClosed wait until they are acknowledged, because the gateway closes the socket or forgets the connection
// after them.
type conn struct {
	session *Session
	conn    gateway.ConnectionAdapter
	id      string
	info    gateway.ConnInfo

	// Guarded by Session.mu once OnSocketCreated has assigned a line.
	pin       backend.Pin
	line      *line
	number    uint64              // 0 until OnSocketCreated
	client    *exproto.ClientInfo // set once authenticated
	window    window
	startedAt time.Duration // when the handler could begin with the oldest event
	// when the oldest event began to wait for a stream; it survives broken streams; 0 if none waits
	waitingSince  time.Duration
	changed       chan struct{} // closed to wake a waiting event; nil if none waits
	err           error         // a gateway.HandlerError, once the connection has failed
	announced     bool          // a handler knows the connection
	reannounce    bool          // the next stream must be told of the connection before its next event
	mayRepeat     bool          // the handler was lost with unacknowledged events of the connection
	isHeld        bool          // counted in the metric, see countHeld
	queued        bool          // listed in line.ready or line.suspects
	closing       bool          // the connection is closing
	handlerClosed bool          // the handler closed the connection: it only needs the Closed event
	ended         bool          // the Closed event is in the window
	suspicion
}

var (
	_ gateway.ConnectionHandler = (*conn)(nil)
	_ gateway.Drainer           = (*conn)(nil)
	_ gateway.StateKeeper       = (*conn)(nil)
)

func (c *conn) OnSocketCreated(info gateway.ConnInfo) error {
	body, err := encode(&handlerv1.Created{
		Id: c.id, Conninfo: convert.ConnInfo(info), Properties: propertyList(info.Properties),
	})
	if err != nil {
		return err
	}
	s := c.session
	line, err := s.assign(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if line.refuses() {
		return s.target.Failed(line.to, "Session", unavailable(line.err), true)
	}
	s.last++
	c.line, c.number, c.info = line, s.last, info
	s.open[c.number] = c
	c.add(createdEvent, body)
	return nil
}

func (c *conn) OnReceivedBytes(b []byte) error { return c.putEvent(bytesEvent, b) }

func (c *conn) OnReceivedMessages(messages []gateway.Message) error {
	c.session.mu.Lock()
	batch, withProperties := c.line.batch, c.line.uses.properties
	c.session.mu.Unlock()
	for converted := range convert.Batches(messages, batch, convert.MaxBatchBytes) {
		event := &handlerv1.Messages{Messages: converted}
		if withProperties {
			event.Properties = messageProperties(messages[:len(converted)])
		}
		messages = messages[len(converted):]
		body, err := encode(event)
		if err != nil {
			return err
		}
		if err := c.putEvent(messagesEvent, body); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) OnAlarm(id uint32) error {
	body, err := encode(&handlerv1.Alarm{Id: id})
	if err != nil {
		return err
	}
	return c.putEvent(alarmEvent, body)
}

// KeepsState reports whether the handler uses featureState.
func (c *conn) KeepsState() bool {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	return c.line != nil && c.line.uses.state
}

func (c *conn) OnDrain() error { return c.putEvent(drainEvent, nil) }

func (c *conn) OnTimerTimeout(t gateway.TimerType) error {
	body, err := encode(&handlerv1.TimerTimeout{Type: exproto.TimerType(t)})
	if err != nil {
		return err
	}
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	if err := c.enter(timerEvent, body); err != nil {
		return err
	}
	c.waitHeld(func() bool { return c.window.Len() == 0 })
	return c.err
}

// OnSocketClosed waits until the handler has acknowledged the end. If the handler is down, the event is kept until it
// is back.
func (c *conn) OnSocketClosed(reason gateway.CloseReason) error {
	body, err := encode(&handlerv1.Closed{Reason: reason.Name})
	if err != nil {
		return err
	}
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.line == nil {
		c.pin.Release()
		return nil
	}
	c.end(body)
	for c.line.live != nil && c.window.Len() > 0 {
		c.await()
	}
	return c.err
}

// end adds the last event, unless the handler never knew the connection or too many closes are pending.
func (c *conn) end(body []byte) {
	s := c.session
	switch {
	case !c.announced && c.err != nil:
		c.drop()
	case c.line.live == nil && s.pendingCloses >= target.MaxPendingCloses:
		c.forget(target.UndeliveredFull)
	default:
		c.ended = true
		s.closesChanged(1)
		c.add(closedEvent, body)
	}
}

// putEvent adds an event and returns when the window has room for another one.
func (c *conn) putEvent(kind eventKind, body []byte) error {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	if err := c.enter(kind, body); err != nil {
		return err
	}
	if c.window.Full(c.line.limits) {
		c.waitHeld(func() bool { return !c.window.Full(c.line.limits) })
	}
	return c.err
}

// enter adds an event once the window has room. It drops the event if the handler has closed the connection, or if the
// connection closes while the event waits and OnFailure allows losing it.
func (c *conn) enter(kind eventKind, body []byte) error {
	if most := c.session.maxEvent; len(body) > most {
		err := status.Errorf(codes.ResourceExhausted, "an event of %d bytes is larger than max, %d bytes", len(body),
			most)
		return c.session.target.Failed(c.line.to, "Session", err, true)
	}
	if !c.room(len(body)) {
		c.waitHeld(func() bool { return c.room(len(body)) })
	}
	if c.err != nil || c.handlerClosed || c.closing && c.session.onFailure == target.OnFailureClose {
		return c.err
	}
	c.add(kind, body)
	return nil
}

// room reports whether the window may take an event of size bytes.
func (c *conn) room(size int) bool {
	s := c.session
	if s.bytes > totalWindowBytes && c.window.Len() > 0 {
		s.blocked[c] = struct{}{}
		return false
	}
	return c.window.Room(size, c.line.limits)
}

// waitHeld waits, without reading the socket, until ready returns true or until the connection closes or fails.
func (c *conn) waitHeld(ready func() bool) {
	mu := &c.session.mu
	mu.Unlock()
	release := c.conn.Hold(c.interrupt)
	mu.Lock()
	if release == nil {
		c.closing = true
		return
	}
	for c.err == nil && !c.handlerClosed && !c.closing && !ready() {
		c.await()
	}
	mu.Unlock()
	release()
	mu.Lock()
}

// interrupt ends the wait of a connection that closes.
func (c *conn) interrupt() {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	c.closing = true
	c.notify()
}

func encode(m proto.Message) ([]byte, error) {
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding an event: %w", err)
	}
	return b, nil
}

// What follows happens to the events in the window. The caller of each method holds Session.mu.

func (c *conn) add(kind eventKind, body []byte) {
	s := c.session
	now := s.now()
	if c.window.Len() == 0 {
		c.startedAt = now
	}
	s.bytes += len(body)
	c.window.Add(c.number, kind, body, now)
	if c.line.live == nil {
		c.noteWaiting(now)
		return
	}
	c.line.schedule(c)
}

// noteWaiting notes that events wait for a stream.
func (c *conn) noteWaiting(now time.Duration) {
	if c.waitingSince == 0 && c.window.Len() > 0 {
		c.waitingSince = now
	}
	c.countHeld()
}

// hasOutput reports whether the connection has something to send.
func (c *conn) hasOutput() bool { return c.window.Unsent() || c.reannounce && c.err == nil }

// take appends what the connection has to send to frame until frame is full.
func (c *conn) take(frame []byte, full int) []byte {
	if c.reannounce {
		frame = c.resume(frame)
	}
	c.announced = true
	frame = c.window.Take(frame, full)
	c.countSent()
	return frame
}

// resume announces the connection on a new stream.
func (c *conn) resume(frame []byte) []byte {
	body, err := proto.Marshal(&handlerv1.Created{
		Id: c.id, Conninfo: convert.ConnInfo(c.info), Properties: propertyList(c.info.Properties), Resumed: true,
		Clientinfo: c.client,
	})
	if err != nil { // cannot fail: the same fields were encoded in OnSocketCreated
		return frame
	}
	c.reannounce = false
	return appendEvent(frame, c.number, 0, createdEvent, body)
}

// rewind prepares the connection for another stream. byHandler says that the handler ended the last one itself.
func (c *conn) rewind(now time.Duration, byHandler bool) {
	before := c.window.Size()
	c.reannounce, c.queued, c.mayRepeat = c.announced, false, c.window.Sent() && !byHandler
	c.inFlight, c.excused = false, false
	c.window.Rewind()
	c.session.freed(before - c.window.Size())
	c.noteWaiting(now)
	c.notify()
}

// acknowledge removes the events up to seq.
func (c *conn) acknowledge(seq uint64, now time.Duration) {
	s := c.session
	before, acked := c.window.Size(), c.window.Acked()
	if !c.window.Ack(seq, s.metrics.acknowledged(now)) {
		s.metrics.dropped(droppedFutureAck)
		return
	}
	if c.window.Acked() == acked {
		return
	}
	c.startedAt, c.waitingSince = now, 0
	c.clearSuspicion()
	c.notify()
	s.freed(before - c.window.Size())
	if c.ended && c.window.Len() == 0 {
		c.drop()
	}
}

// fail fails the connection with err. Events that were not sent are dropped, except for the end.
func (c *conn) fail(err error) {
	c.err = err
	c.ends, c.alone = 0, 0
	if c.ended {
		c.drop()
		return
	}
	before := c.window.Size()
	c.window.DropUnsent()
	c.session.freed(before - c.window.Size())
	c.countHeld()
	c.notify()
}

// drop forgets the connection.
func (c *conn) drop() {
	s := c.session
	before := c.window.Size()
	c.window.Clear()
	s.freed(before)
	delete(s.open, c.number)
	delete(s.blocked, c)
	if c.ended {
		s.closesChanged(-1)
	}
	c.line.endTrial(c)
	c.pin.Release()
	c.countHeld()
	c.notify()
}

// await releases mu until notify is called.
func (c *conn) await() {
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	wait := c.changed
	c.session.mu.Unlock()
	<-wait
	c.session.mu.Lock()
}

// notify wakes the waiting event.
func (c *conn) notify() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// overdue reports whether the handler has had the oldest event for longer than the timeout.
func (c *conn) overdue(now time.Duration) bool {
	if c.line.live == nil || c.window.Len() == 0 || now-c.startedAt <= c.session.timeout {
		return false
	}
	if c.suspect() && !c.inFlight { // it waits for its trial
		return false
	}
	return !c.ended || !c.window.Unsent() // the end is sent however long the stream is blocked
}
