package session

import (
	"time"

	"google.golang.org/protobuf/proto"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
)

// What happens to the events of a connection after they came in. The caller of each method holds session.mu.

func (c *sessionConn) add(kind Kind, body []byte) {
	s := c.session
	now := s.now()
	if c.window.Len() == 0 {
		c.since = now
	}
	s.bytes += len(body)
	c.window.Add(c.number, kind, body, now)
	if c.line.live == nil {
		c.stick(now)
		return
	}
	c.line.schedule(c)
}

// stick notes that events wait for a stream.
func (c *sessionConn) stick(now time.Duration) {
	if c.stuck == 0 && c.window.Len() > 0 {
		c.stuck = now
	}
	c.noteHeld()
}

// speaks reports whether the connection has something to send.
func (c *sessionConn) speaks() bool { return c.window.Unsent() || c.again && c.err == nil }

// take appends what the connection has to send to frame, until that is full.
func (c *sessionConn) take(frame []byte, full int) []byte {
	if c.again {
		frame = c.resume(frame)
	}
	c.told = true
	frame = c.window.Take(frame, full)
	c.sent()
	return frame
}

// resume tells a new stream of the connection.
func (c *sessionConn) resume(frame []byte) []byte {
	body, err := proto.Marshal(&handlerv1.Created{Id: c.id, Conninfo: convert.ConnInfo(c.info), Resumed: true, Clientinfo: c.client})
	if err != nil { // the same fields were encoded when the connection was created
		return frame
	}
	c.again = false
	return AppendEvent(frame, c.number, 0, Created, body)
}

// rewind prepares the connection for another stream.
func (c *sessionConn) rewind(now time.Duration) {
	before := c.window.Size()
	c.again, c.queued, c.unsure = c.told, false, c.window.Sent()
	c.out, c.excused = false, false
	c.window.Rewind()
	c.session.shrunk(before - c.window.Size())
	c.stick(now)
	c.notify()
}

// acknowledge ends the events up to seq.
func (c *sessionConn) acknowledge(seq uint64, now time.Duration) {
	s := c.session
	before, acked := c.window.Size(), c.window.Acked()
	if !c.window.Ack(seq, s.metrics.acknowledged(now)) {
		s.metrics.dropped(sessionDroppedAck)
		return
	}
	if c.window.Acked() == acked {
		return
	}
	c.since, c.stuck = now, 0
	c.absolve()
	c.notify()
	s.shrunk(before - c.window.Size())
	if c.ended && c.window.Len() == 0 {
		c.drop()
	}
}

// fail ends the waiting of events with err. What the handler has not seen is dropped, but for the end.
func (c *sessionConn) fail(err error) {
	c.err = err
	c.ends, c.alone = 0, 0
	if c.ended {
		c.drop()
		return
	}
	before := c.window.Size()
	c.window.DropUnsent()
	c.session.shrunk(before - c.window.Size())
	c.noteHeld()
	c.notify()
}

// drop forgets the connection.
func (c *sessionConn) drop() {
	s := c.session
	before := c.window.Size()
	c.window.Clear()
	s.shrunk(before)
	delete(s.open, c.number)
	delete(s.blocked, c)
	if c.ended {
		s.left(-1)
	}
	c.line.endTrial(c)
	c.pin.Release()
	c.noteHeld()
	c.notify()
}

// await gives mu away until something changes.
func (c *sessionConn) await() {
	if c.wait == nil {
		c.wait = make(chan struct{})
	}
	wait := c.wait
	c.session.mu.Unlock()
	<-wait
	c.session.mu.Lock()
}

// notify wakes the event that waits.
func (c *sessionConn) notify() {
	if c.wait != nil {
		close(c.wait)
		c.wait = nil
	}
}

// overdue reports whether the handler has been at the oldest event for longer than a callback may take.
func (c *sessionConn) overdue(now time.Duration) bool {
	if c.line.live == nil || c.window.Len() == 0 || now-c.since <= c.session.timeout {
		return false
	}
	if c.suspect() && !c.out { // it waits for its turn
		return false
	}
	return !c.ended || !c.window.Unsent() // the end goes out however long the stream is blocked
}
