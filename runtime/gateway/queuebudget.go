package gateway

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/internal/lograte"
	"github.com/exgate/exgate/internal/memory"
)

// The default of Config.QueueBytes is this part of the memory that the process may use, within these bounds.
const (
	queueMemoryShare = 64
	minQueueBytes    = 64 << 20
	maxQueueBytes    = 128 << 20
)

func defaultQueueBytes() int64 {
	return min(max(memory.Available()/queueMemoryShare, minQueueBytes), maxQueueBytes)
}

// messageOverhead is the cost of a waiting message in addition to its topic and payload, in bytes.
const messageOverhead = 160

// stalledAfter is how long a queue may stand still before its connection is among the first to be closed.
const stalledAfter = time.Second

// queueBudget bounds the queues of all connections together: bytes for devices, and messages for
// handlers.
type queueBudget struct {
	limit     int64
	held      atomic.Int64
	relieving atomic.Bool
	logged    lograte.Limiter

	mu      sync.Mutex
	writers map[*Conn]struct{} // connections whose send queue has a writer, including closed ones; guarded by mu
}

// backlog counts the contents of one connection's queues.
type backlog struct {
	bytes atomic.Int64
	moved atomic.Int64 // when the device or the handler last took some, on Gateway.now's clock
}

// queued adds n queued bytes.
func (c *Conn) queued(n int) {
	if c.backlog.bytes.Add(int64(n)) == int64(n) {
		c.backlog.moved.Store(int64(c.gw.now()))
	}
	c.gw.queues.held.Add(int64(n))
}

// unqueued removes n queued bytes.
func (c *Conn) unqueued(n int) {
	if n == 0 {
		return
	}
	c.backlog.bytes.Add(-int64(n))
	c.backlog.moved.Store(int64(c.gw.now()))
	c.gw.queues.held.Add(-int64(n))
}

func (b *queueBudget) writing(c *Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writers[c] = struct{}{}
}

func (b *queueBudget) written(c *Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.writers, c)
}

func (b *queueBudget) exceeded() bool { return b.held.Load() > b.limit }

// size is the cost of a waiting message, in bytes.
func (m *Message) size() int { return len(m.Topic) + m.bytes() + messageOverhead }

// bytes is what counts against Limits.InboxBytes.
func (m *Message) bytes() int { return len(m.Payload) + m.Properties.Size() }

// relieveQueues closes connections while the queues exceed the budget: stalled ones until an eighth of the budget is
// free, others only until the queues are within it. The caller must not hold locks.
func (g *Gateway) relieveQueues() {
	b := &g.queues
	if !b.exceeded() || !b.relieving.CompareAndSwap(false, true) {
		return
	}
	defer b.relieving.Store(false)
	target := b.limit - b.limit/8
	for _, h := range g.queueHolders() {
		c := h.conn
		if held := b.held.Load(); held <= target || (held <= b.limit && !h.stalled) {
			return
		}
		waiting := c.backlog.bytes.Load()
		if suppressed, ok := b.logged.Allow(time.Now()); ok {
			client, _ := c.Client()
			g.log.Warn("the queues of devices that do not read or handlers that do not answer are too large; "+
				"closing one (max_queued_bytes)",
				"listener", c.metrics.name, "conn", c.id, "client_id", client.ClientID, "waiting", waiting,
				"limit", b.limit, "suppressed", suppressed)
		}
		c.Close(ReasonQueueBudget.With("%d bytes queued for it, and more than %d in all", waiting, b.limit))
		c.out.abort(c) // also if the connection is already closed and still sends its last bytes
	}
}

// queueHolder is a connection with a queue that is not empty.
type queueHolder struct {
	conn    *Conn
	stalled bool // it has taken nothing for stalledAfter
	weight  float64
}

// queueHolders returns the connections whose queues are not empty: first the stalled ones by the size of their
// queues, then the others by size and by how long their queues have not moved.
func (g *Gateway) queueHolders() []queueHolder {
	now := g.now()
	var holders []queueHolder
	add := func(c *Conn) {
		bytes, idle := c.backlog.bytes.Load(), now-time.Duration(c.backlog.moved.Load())
		if bytes <= 0 {
			return
		}
		h := queueHolder{c, idle >= stalledAfter, float64(bytes)}
		if !h.stalled {
			h.weight *= max(idle, time.Microsecond).Seconds()
		}
		holders = append(holders, h)
	}
	g.queues.mu.Lock()
	writers := make(map[*Conn]struct{}, len(g.queues.writers))
	for c := range g.queues.writers {
		writers[c] = struct{}{}
		add(c)
	}
	g.queues.mu.Unlock()
	for c := range g.Conns() {
		if _, seen := writers[c]; !seen {
			add(c)
		}
	}
	slices.SortFunc(holders, func(a, b queueHolder) int {
		if a.stalled != b.stalled {
			if a.stalled {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.weight, a.weight)
	})
	return holders
}
