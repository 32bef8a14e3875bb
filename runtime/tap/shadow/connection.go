package shadow

import (
	"bytes"
	"slices"
	"sync"

	"github.com/exgate/exgate/runtime/tap"
)

// recordSize is what a record costs in a queue without what it points at.
const recordSize = 512

// connection takes what happens to a live connection, and has its shadow told of it on a goroutine that exists only meanwhile.
type connection struct {
	shadow *Shadow
	id     string
	player player // owned by the goroutine

	mu      sync.Mutex // guards the fields below
	queue   []tap.Record
	bytes   int
	inside  bool // an event of the live handler is under way: its calls are not all known
	running bool
	begun   bool
	over    bool   // nothing more is taken: Closed is in the queue, or the shadow is given up
	dropped string // why it is given up
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

// closedLast reports whether the event that ended was the last one; the caller holds mu.
func (c *connection) closedLast() bool {
	for i := len(c.queue) - 1; i >= 0; i-- {
		if k := c.queue[i].Kind; k.Event() {
			return k == tap.Closed
		}
	}
	return false
}

// add queues r, or gives the shadow up; the caller holds mu.
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

// drop gives the shadow up; the caller holds mu.
func (c *connection) drop(why string) {
	c.take()
	c.over, c.dropped = true, why
	c.shadow.metrics.drop(why)
}

// leave gives the shadow up where the connection is still open.
func (c *connection) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.drop(droppedClosed)
		c.run()
	}
}

// take empties the queue; the caller holds mu.
func (c *connection) take() []tap.Record {
	batch := c.queue
	c.shadow.waiting.Add(int64(-c.bytes))
	c.queue, c.bytes = nil, 0
	return batch
}

// run has the queue worked off; the caller holds mu.
func (c *connection) run() {
	if !c.running {
		c.running = true
		go c.work()
	}
}

// work plays what is queued until nothing is left.
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

// giveUp takes nothing more: the shadow cannot go on.
func (c *connection) giveUp(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.take()
	c.over, c.dropped = true, why
	c.shadow.metrics.drop(why)
}

// clone copies what r points at: it is valid during the call only.
func clone(r *tap.Record) tap.Record {
	c := *r
	c.Data = bytes.Clone(r.Data)
	c.Messages = slices.Clone(r.Messages)
	for i := range c.Messages {
		c.Messages[i].Payload = bytes.Clone(c.Messages[i].Payload)
	}
	return c
}

func sizeOf(r *tap.Record) int {
	n := recordSize + len(r.Data) + len(r.Topic) + len(r.Password)
	for _, m := range r.Messages {
		n += recordSize + len(m.Topic) + len(m.Payload)
	}
	return n
}
