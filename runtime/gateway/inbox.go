package gateway

import (
	"sync"

	"github.com/exgate/exgate/internal/topic"
)

type eventKind uint8

const (
	eventPost eventKind = iota
	eventMessage
	eventTimer
	eventAlarm
	eventDrain
	eventLeave // the gateway stops
	eventClosed
)

// event is something that happens to a connection other than bytes.
type event struct {
	kind    eventKind
	alarm   uint8 // the timer's id
	post    func() error
	message *Message
	size    int // of message, as it was queued
}

// inbox holds the events that wait for the goroutine that runs the connection: the goroutine that reads the socket
// while it handles bytes, otherwise one that is started when an event comes and ends when none is left. Guarded by
// Conn.mu.
type inbox struct {
	events   []event
	messages int           // how many of events are messages
	early    []Message     // messages that came before the login's result; delivered after it
	bytes    int           // bytes of the payloads and properties in events and early
	running  bool          // a goroutine runs the connection
	handoff  chan struct{} // made by the reading goroutine when it waits to run the connection, closed to hand over
	leaving  bool          // leave was called: the gateway stops
	last     bool          // eventClosed has been queued
	reading  bool          // the reading goroutine runs the connection; owned by the goroutine that runs it
	busy     bool          // the handler is not done with the last read: the socket is not read meanwhile
}

// batches recycles the slices that carry messages to handlers.
var batches = sync.Pool{New: func() any { return new([]Message) }}

// maxBatch bounds the messages of one OnReceivedMessages.
const maxBatch = 64

// enqueue adds an event; the caller holds mu. It reports false after the last event.
func (c *Conn) enqueue(e event) bool {
	if c.inbox.last {
		return false
	}
	c.inbox.last = e.kind == eventClosed
	c.inbox.events = append(c.inbox.events, e)
	if !c.inbox.running {
		c.inbox.running = true
		go c.drain()
	}
	return true
}

// acquire makes the reading goroutine the one that runs the connection. It waits for the events that are being handled,
// but not for those queued after them.
func (c *Conn) acquire() {
	c.mu.Lock()
	c.inbox.busy = true
	if !c.inbox.running {
		c.inbox.running = true
		c.mu.Unlock()
		c.inbox.reading = true
		return
	}
	turn := make(chan struct{})
	c.inbox.handoff = turn
	c.mu.Unlock()
	<-turn
	c.inbox.reading = true
}

// yield ends the reading goroutine's part. It handles the queued events, and leaves those that come meanwhile to
// another goroutine, so that a flood of messages does not keep the socket from being read.
func (c *Conn) yield() {
	if c.handleWaiting() && !c.idle() {
		go c.drain()
	}
}

// drain handles events until none are left, or until the reading goroutine wants to run the connection.
func (c *Conn) drain() {
	c.inbox.reading = false
	for c.handleWaiting() {
	}
}

// handleWaiting handles the queued events. It reports false if the caller no longer runs the connection.
func (c *Conn) handleWaiting() bool {
	c.mu.Lock()
	events := c.inbox.events
	if c.inbox.handoff != nil {
		close(c.inbox.handoff)
		c.inbox.handoff = nil
		c.mu.Unlock()
		return false
	}
	if len(events) == 0 {
		c.inbox.running, c.inbox.busy = false, false
		c.mu.Unlock()
		return false
	}
	c.inbox.events, c.inbox.messages, c.inbox.bytes = nil, 0, c.inbox.earlyBytes()
	c.mu.Unlock()
	c.handle(events)
	return true
}

// idle stops running the connection if no event waits, and reports whether that is so.
func (c *Conn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inbox.busy = false
	if len(c.inbox.events) > 0 {
		return false
	}
	c.inbox.running = false
	return true
}

func (c *Conn) handle(events []event) {
	for i := 0; i < len(events); i++ {
		e := events[i]
		switch {
		case e.kind == eventClosed:
			c.closed()
		case c.closing.Load():
			c.dropEvent(e)
		case e.kind == eventMessage:
			i += c.messages(events[i:]) - 1
		case e.kind == eventTimer:
			c.timerEvent()
		case e.kind == eventAlarm:
			c.alarmEvent(e.alarm)
		case e.kind == eventDrain:
			c.drainEvent()
		case e.kind == eventLeave:
			c.Close(ReasonShutdown)
		case e.kind == eventPost:
			c.dispatch("result", e.post)
		}
	}
}

// dropWaiting drops the events that wait when the connection begins to close; the caller holds mu.
func (c *Conn) dropWaiting() {
	for _, e := range c.inbox.events {
		c.dropEvent(e)
	}
	c.inbox.events, c.inbox.messages, c.inbox.bytes = nil, 0, c.inbox.earlyBytes()
}

func (c *Conn) dropEvent(e event) {
	switch e.kind {
	case eventMessage:
		c.unqueued(e.size)
		c.metrics.drop(droppedAfterClose, 1)
	case eventPost:
		c.metrics.drop(droppedResultClosed, 1)
	}
}

// messages hands the messages at the head of events to the handler as one batch and returns how many they were.
func (c *Conn) messages(events []event) (n int) {
	size := 0
	defer func() { c.unqueued(size) }()
	defer c.recoverHandler()
	batch := batches.Get().(*[]Message)
	defer func() {
		clear(*batch)
		*batch = (*batch)[:0]
		batches.Put(batch)
	}()
	for n < len(events) && n < maxBatch && events[n].kind == eventMessage {
		*batch = append(*batch, *events[n].message)
		size += events[n].size
		events[n].message = nil
		n++
	}
	c.metrics.msgEvents.Inc()
	if err := c.handler.OnReceivedMessages(*batch); err != nil {
		c.fail(err)
	}
	return n
}

// drainEvent calls OnDrain: the handler will be replaced, or the gateway stops.
func (c *Conn) drainEvent() {
	if d, ok := c.handler.(Drainer); ok {
		c.dispatch("drain", d.OnDrain)
	}
}

// Post runs event in order with the connection's other events.
func (c *Conn) Post(f func() error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.enqueue(event{kind: eventPost, post: f})
}

// Deliver queues a message of the upstream for the handler and never blocks. Messages that arrive before the handler
// has the result of the login wait for it: a broker sends those of a resumed session right after CONNACK.
func (c *Conn) Deliver(m Message) bool {
	if topic.CheckReceived(m.Topic) != nil {
		c.metrics.drop(droppedBadTopic, 1)
		return false
	}
	if m.Properties != nil {
		m.Properties = c.received(m.Properties)
	}
	c.mu.Lock()
	waiting := c.inbox.messages + len(c.inbox.early)
	full := waiting > 0 && (waiting >= c.limits.InboxMessages || c.inbox.bytes+m.bytes() > c.limits.InboxBytes)
	queued := false
	switch {
	case full:
	case c.login.delivered:
		queued = c.enqueueMessage(m)
	case !c.inbox.last:
		queued = true
		c.inbox.early = append(c.inbox.early, m)
	}
	if queued {
		c.inbox.bytes += m.bytes()
		c.queued(m.size())
	}
	c.mu.Unlock()
	if c.gw.queues.exceeded() {
		go c.gw.relieveQueues() // not here: the connector may hold locks
	}
	switch {
	case full && m.QoS > 0:
		c.Close(ReasonMessageQueueFull.With("%d messages wait for the handler", c.limits.InboxMessages))
	case full:
		c.metrics.drop(droppedInboxFull, 1)
	case !queued:
		c.metrics.drop(droppedAfterClose, 1)
	}
	return queued
}

// enqueueMessage adds an event for m and removes the mountpoint from its topics. It reports false after the last event.
// The caller holds mu.
func (c *Conn) enqueueMessage(m Message) bool {
	size := m.size()
	m.Topic, m.Node = c.login.unmount(m.Topic), c.gw.node
	m.Properties = c.unmountResponse(m.Properties)
	if !c.enqueue(event{kind: eventMessage, message: &m, size: size}) {
		return false
	}
	c.inbox.messages++
	return true
}

// loginDelivered queues the messages that waited for the result of the login. If the login failed, it drops them: they
// belong to a session that has ended.
func (c *Conn) loginDelivered() {
	c.mu.Lock()
	early := c.inbox.early
	c.inbox.bytes -= c.inbox.earlyBytes()
	c.inbox.early = nil
	c.login.delivered = c.login.state == loginDone
	if c.state != nil {
		c.state.loaded = nil
	}
	dropped := 0
	for _, m := range early {
		if c.login.delivered && c.enqueueMessage(m) {
			c.inbox.bytes += m.bytes()
		} else {
			c.unqueued(m.size())
			dropped++
		}
	}
	c.mu.Unlock()
	c.metrics.drop(droppedAfterClose, dropped)
}

// earlyBytes returns the part of bytes that is in early.
func (b *inbox) earlyBytes() (n int) {
	for i := range b.early {
		n += b.early[i].bytes()
	}
	return n
}
