package session

import (
	"time"

	"google.golang.org/protobuf/proto"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
)

// What happens to the events of a connection after they came in. The caller of each method holds session.mu.

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

// take appends what the connection has to send to frame, until that is full.
func (c *conn) take(frame []byte, full int) []byte {
	if c.reannounce {
		frame = c.resume(frame)
	}
	c.announced = true
	frame = c.window.Take(frame, full)
	c.countSent()
	return frame
}

// resume tells a new stream of the connection.
func (c *conn) resume(frame []byte) []byte {
	body, err := proto.Marshal(&handlerv1.Created{Id: c.id, Conninfo: convert.ConnInfo(c.info), Resumed: true, Clientinfo: c.client})
	if err != nil { // the same fields were encoded when the connection was created
		return frame
	}
	c.reannounce = false
	return appendEvent(frame, c.number, 0, createdEvent, body)
}

// rewind prepares the connection for another stream.
func (c *conn) rewind(now time.Duration) {
	before := c.window.Size()
	c.reannounce, c.queued, c.unacked = c.announced, false, c.window.Sent()
	c.inFlight, c.excused = false, false
	c.window.Rewind()
	c.session.freed(before - c.window.Size())
	c.noteWaiting(now)
	c.notify()
}

// acknowledge ends the events up to seq.
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

// fail ends the waiting of events with err. What the handler has not seen is dropped, but for the end.
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

// await gives mu away until something changes.
func (c *conn) await() {
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	wait := c.changed
	c.session.mu.Unlock()
	<-wait
	c.session.mu.Lock()
}

// notify wakes the event that waits.
func (c *conn) notify() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// overdue reports whether the handler has been at the oldest event for longer than a callback may take.
func (c *conn) overdue(now time.Duration) bool {
	if c.line.live == nil || c.window.Len() == 0 || now-c.startedAt <= c.session.timeout {
		return false
	}
	if c.suspect() && !c.inFlight { // it waits for its turn
		return false
	}
	return !c.ended || !c.window.Unsent() // the end goes out however long the stream is blocked
}
