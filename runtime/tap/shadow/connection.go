package shadow

import (
	"bytes"
	"slices"
	"sync"

	"github.com/exgate/exgate/runtime/tap"
)

// recordSize is the memory of a queued record, excluding what it references.
const recordSize = 512

// connection queues the records of a live connection, and plays them to its shadow on a goroutine that exists only
// while some are queued.
type connection struct {
	shadow *Shadow
	id     string
	player player // owned by the goroutine

	mu      sync.Mutex // guards the fields below
	queue   []tap.Record
	bytes   int
	inside  bool // an event of the live handler is in progress, so not all of its calls are known
	running bool
	begun   bool
	over    bool   // no more records are queued: Closed is, or the shadow was dropped
	dropped string // why the shadow was dropped
}

var _ tap.Sink = (*connection)(nil)

// Record queues a copy of r. It never waits.
func (c *connection) Record(r *tap.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	if !c.begun {
		c.begun = true
		if c.over = !c.shadow.begin(c); c.over {
			return
		}
	}
	switch {
	case r.Kind.Event():
		c.inside = true
	case r.Kind == tap.Handled:
		c.inside = false
	}
	c.add(r)
	if r.Kind == tap.Handled && c.closedLast() {
		c.over = true
	}
	if !c.inside || c.over {
		c.run()
	}
}

// closedLast reports whether the event that has ended is the last one. The caller holds mu.
func (c *connection) closedLast() bool {
	for i := len(c.queue) - 1; i >= 0; i-- {
		if k := c.queue[i].Kind; k.Event() {
			return k == tap.Closed
		}
	}
	return false
}

// add queues r, or drops the shadow. The caller holds mu.
func (c *connection) add(r *tap.Record) {
	size := sizeOf(r)
	switch {
	case c.bytes+size > c.shadow.queueBytes:
		c.drop(droppedQueue)
	case c.shadow.waiting.Load()+int64(size) > int64(c.shadow.totalBytes):
		c.drop(droppedTotal)
	default:
		c.queue = append(c.queue, clone(r))
		c.bytes += size
		c.shadow.waiting.Add(int64(size))
	}
}

// drop drops the shadow. The caller holds mu.
func (c *connection) drop(why string) {
	c.take()
	c.over, c.dropped = true, why
	c.shadow.metrics.drop(why)
}

// leave drops the shadow if the connection is still open.
func (c *connection) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.drop(droppedClosed)
		c.run()
	}
}

// take empties the queue. The caller holds mu.
func (c *connection) take() []tap.Record {
	batch := c.queue
	c.shadow.waiting.Add(int64(-c.bytes))
	c.queue, c.bytes = nil, 0
	return batch
}

// run starts the goroutine that plays the queue. The caller holds mu.
func (c *connection) run() {
	if !c.running {
		c.running = true
		go c.work()
	}
}

// work plays the queue until it is empty.
func (c *connection) work() {
	c.shadow.workers <- struct{}{}
	defer func() { <-c.shadow.workers }()
	for {
		c.mu.Lock()
		over, dropped := c.over, c.dropped
		if (len(c.queue) == 0 || c.inside) && !over {
			c.running = false
			c.mu.Unlock()
			return
		}
		batch := c.take()
		c.mu.Unlock()
		if why := c.player.play(c.shadow, c.id, batch); why != "" && dropped == "" && !over {
			dropped, over = why, true
			c.giveUp(why)
		}
		if over {
			c.player.end(c.shadow, c.id, dropped)
			c.shadow.end(c)
			return
		}
	}
}

// giveUp drops the shadow, which cannot continue.
func (c *connection) giveUp(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.take()
	c.over, c.dropped = true, why
	c.shadow.metrics.drop(why)
}

// clone copies r and what it references, which is valid during the call only.
func clone(r *tap.Record) tap.Record {
	c := *r
	c.Data, c.Props = bytes.Clone(r.Data), r.Props.Clone()
	c.Messages = slices.Clone(r.Messages)
	for i := range c.Messages {
		m := &c.Messages[i]
		m.Payload, m.Properties = bytes.Clone(m.Payload), m.Properties.Clone()
	}
	return c
}

func sizeOf(r *tap.Record) int {
	n := recordSize + len(r.Data) + len(r.Topic) + len(r.Password) + r.Props.Size()
	for _, m := range r.Messages {
		n += recordSize + len(m.Topic) + len(m.Payload) + m.Properties.Size()
	}
	return n
}
