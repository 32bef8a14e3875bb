package client

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/exgate/exgate/connectors/internal/spool"
	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/runtime/gateway"
)

// backlog holds the spooled messages of one device. To keep their order, one queue at a time publishes them: the queue
// of the device's session or, without one, a queue on the gateway client.
type backlog struct {
	broker *Broker
	id     string // the device's client id
	queue  *spool.Queue
	users  int // queues, and messages on their way to disk; guarded by broker.mu

	mu      sync.Mutex    // client.mu comes before it
	holder  *PublishQueue // the queue that publishes; guarded by mu, like all fields below
	next    *PublishQueue // takes over when the holder has left
	refused bool          // the broker has denied the gateway client to publish it
	suspect suspicion
}

// suspicion is the evidence against a spooled message that was in flight when connections ended. Another queue may send
// it next.
type suspicion struct {
	stored uint64
	ends   int
}

// remember stores the evidence against a message for the queue that sends it next.
func (g *backlog) remember(k *call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.suspect = suspicion{k.stored, k.ends}
}

// against returns the evidence against a stored message.
func (g *backlog) against(stored uint64) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.suspect.stored != stored {
		return 0
	}
	return g.suspect.ends
}

// backlogOf returns the backlog of a client id and adds a user.
func (b *Broker) backlogOf(id string) *backlog {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.backlogs[id]
	if g == nil {
		g = &backlog{broker: b, id: id, queue: b.spool.spool.Queue(id), suspect: b.suspicions[id]}
		b.backlogs[id] = g
		delete(b.suspicions, id)
	}
	g.users++
	return g
}

// use adds a user. The backlog must have one already.
func (g *backlog) use() {
	g.broker.mu.Lock()
	defer g.broker.mu.Unlock()
	g.users++
}

// release removes a user. If it was the last one and messages are left, the gateway client publishes them.
func (g *backlog) release() {
	b, left := g.broker, g.queue.Len()
	g.mu.Lock()
	refused := g.refused
	b.mu.Lock()
	g.users--
	last := g.users == 0
	if last {
		delete(b.backlogs, g.id)
		if left > 0 && g.suspect.ends > 0 {
			b.suspicions[g.id] = g.suspect
		}
	}
	b.mu.Unlock()
	g.mu.Unlock()
	if !last {
		return
	}
	g.queue.Release()
	if left > 0 && !refused {
		b.publishLeftover(g.id)
	}
}

// UseSpool connects a device's queue to its messages in the spool, if there is one.
func (l *PublishQueue) UseSpool() { l.store(l.from.ClientID) }

// store connects a queue to the backlog of a client id, if there is a spool.
func (l *PublishQueue) store(id string) {
	b := l.client.broker
	if !b.HasSpool() {
		return
	}
	g := b.backlogOf(id)
	l.client.mu.Lock()
	var cb Callbacks
	if l.ended { // it ended before it had a backlog
		cb.Then(g.release)
	} else {
		l.backlog = g
		cb = g.enter(l)
	}
	l.client.mu.Unlock()
	cb.Run()
}

// enter makes l the queue that publishes, once the earlier ones have left. A leftover queue ends at once if there is
// another queue. The client's mu must be held.
func (g *backlog) enter(l *PublishQueue) (cb Callbacks) {
	g.mu.Lock()
	before := []*PublishQueue{g.holder, g.next}
	switch {
	case g.holder == nil:
		g.holder = l
	case l.leftover:
		l.ended = true
		cb.Then(func() { g.leave(l) })
	default:
		g.next = l
	}
	if !l.leftover {
		g.refused = false
	}
	g.mu.Unlock()
	switch {
	case before[0] == nil:
		return l.start()
	case l.leftover:
		return cb
	}
	for _, other := range before {
		if other != nil {
			cb.Then(func() {
				other.Close().Run()
			})
		}
	}
	return cb
}

// leave removes l, once, and activates the next queue.
func (g *backlog) leave(l *PublishQueue) {
	g.mu.Lock()
	if l.left {
		g.mu.Unlock()
		return
	}
	l.left = true
	if g.next == l {
		g.next = nil
	}
	var successor *PublishQueue
	if g.holder == l {
		successor = g.next
		g.holder, g.next = successor, nil
	}
	g.mu.Unlock()
	if successor != nil {
		successor.activate()
	}
	g.release()
}

// append stores a QoS 1 or 2 publish, which must have been counted as a user. The callback is called once the message
// is on disk. A message that the spool refuses goes to the broker without it if it can.
func (g *backlog) append(k call) {
	r := spool.Record{
		Topic: k.topic, Payload: k.payload, QoS: k.qos, Properties: wire.WithoutExpiry(k.props),
		At: time.Now(), Retain: k.retain, Expiry: k.expiry,
	}
	g.queue.Append(r, func(err error) {
		switch {
		case err == nil:
			Finish(k.done, gateway.OK)
			g.kick()
		case !g.bypass(k, err):
			Finish(k.done, storedResult(err))
		}
		g.release()
	})
}

// bypass publishes a message that the spool refused directly, if the broker is reachable and no earlier message of the
// device is on disk. The broker's acknowledgement is worth as much as the disk's, so neither a full disk nor the
// messages of others in a full spool cost a device its publishes.
func (g *backlog) bypass(k call, err error) bool {
	payload, ok := spool.Payload(err) // the caller's is not valid any more
	if !ok || !k.queue.client.isConnected() || g.queue.Holds() {
		return false
	}
	g.broker.metrics.Spool.Bypassed.Inc()
	k.payload = payload
	k.queue.client.submit(k)
	return true
}

func storedResult(err error) gateway.Result {
	switch {
	case errors.Is(err, spool.ErrFull):
		return gateway.Refuse(gateway.CodeLimit, "%v", err)
	case errors.Is(err, spool.ErrClosed):
		return ResultEnded
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return gateway.Refuse(gateway.CodeLimit, "storing the message: %v", err)
	}
	return gateway.Refuse(gateway.CodeUnknown, "storing the message: %v", err)
}

// kick resumes the queue that publishes.
func (g *backlog) kick() {
	g.mu.Lock()
	l := g.holder
	g.mu.Unlock()
	if l != nil {
		l.kick()
	}
}

// retryable reports whether a refusal is temporary: the device was told the message is safe, so it must not be dropped.
// An unsupported QoS is lowered at the next attempt.
func retryable(reason byte) bool {
	return reason == 0x80 || reason == 0x83 || reason == 0x97 || reason == 0x9B
}

const retryDelay = 5 * time.Second

// answered handles the broker's answer to a stored message. The client's mu must be held.
func (g *backlog) answered(k *call, reason byte) (cb Callbacks) {
	l, m := k.queue, g.broker.metrics
	switch {
	case reason < 0x80:
		g.queue.Remove(k.stored)
	case retryable(reason):
		l.drain.wait(l, retryDelay)
	case l.leftover && notAllowed(reason):
		g.mu.Lock()
		g.refused = true // the device itself may be allowed
		g.mu.Unlock()
		cb = append(cb, l.shut()...)
		g.broker.log.Warn(
			"the broker denies the gateway to publish a spooled message of a device; it waits for the device",
			"client_id", g.id, "topic", k.topic, "reason", wire.ReasonName(reason))
	default:
		g.queue.Remove(k.stored)
		m.dropped.WithLabelValues(dropRefused).Inc()
		g.broker.log.Warn("the broker refused a message from the spool; it is dropped",
			"client_id", g.id, "topic", k.topic, "reason", wire.ReasonName(reason))
	}
	if l.ended {
		cb.Then(func() { g.leave(l) })
	}
	return cb
}

// setAside moves a stored message for which the broker ends connections to the spool's folder of refused messages. The
// queue waits for that: while the disk fails, later messages wait too. If the folder is full, the message is dropped.
// The client's mu must be held.
func (g *backlog) setAside(k *call, why string) (cb Callbacks) {
	l := k.queue
	l.drain.waiting = true
	g.use()
	cb.Then(func() {
		g.broker.workers.Go(func() {
			err := g.queue.SetAside(k.stored, why)
			if errors.Is(err, spool.ErrAsideFull) {
				g.queue.Remove(k.stored)
				g.broker.metrics.dropped.WithLabelValues(dropRefused).Inc()
			}
			if err != nil {
				g.broker.log.Error(
					"cannot set aside a spooled message for which the broker ends connections (upstream.spool.folder)",
					"client_id", g.id, "topic", k.topic, "error", err)
			}
			g.setAsideDone(l, err)
		})
	})
	return cb
}

func (g *backlog) setAsideDone(l *PublishQueue, err error) {
	l.client.mu.Lock()
	l.drain.waiting = false
	if err != nil && !errors.Is(err, spool.ErrAsideFull) {
		l.drain.wait(l, retryDelay)
	}
	ended := l.ended
	l.client.mu.Unlock()
	if ended {
		g.leave(l)
	} else {
		l.kick()
	}
	g.release()
}

func notAllowed(reason byte) bool { return wire.CodeOf(reason) == gateway.CodePermissionDeny }

// first returns the oldest message as a call. It drops expired ones.
func (g *backlog) first(l *PublishQueue) (*call, bool) {
	for {
		seq, r, ok := g.queue.First()
		if !ok {
			return nil, false
		}
		k := &call{
			kind: publishing, topic: r.Topic, payload: r.Payload, qos: r.QoS, props: r.Properties, stored: seq,
			queue: l, ends: g.against(seq), retain: r.Retain,
		}
		expiry := earlier(g.broker.cfg.MessageExpiry, r.Expiry)
		if expiry == 0 {
			return k, true
		}
		if left := expiry - time.Since(r.At); left > 0 {
			k.props = wire.WithExpiry(min(left, expiry), r.Properties)
			return k, true
		}
		g.queue.Remove(seq)
		g.broker.metrics.dropped.WithLabelValues(dropExpired).Inc()
	}
}

// leaveLate keeps a stored publish that is unacknowledged when its client ends: the answer may still arrive before the
// connection closes, and then the message need not be sent again. The client's mu must be held.
func (k *call) leaveLate(l *link) (cb Callbacks) {
	switch {
	case k.stored == 0:
	case l != nil && !l.dead:
		if l.late == nil {
			l.late = map[uint16]*call{}
		}
		l.late[k.id] = k
	default:
		cb.Then(func() { k.queue.backlog.leave(k.queue) })
	}
	return cb
}

// answeredLate handles the answer to such a publish and ignores any other. mu must be held.
func (l *link) answeredLate(id uint16, qos, reason byte) (cb Callbacks) {
	k := l.late[id]
	if k == nil || k.qos != qos || k.released != (qos == 2) {
		return nil
	}
	delete(l.late, id)
	return k.queue.backlog.answered(k, reason)
}

// lateEnded stops waiting for late answers.
func (c *Client) lateEnded(l *link) {
	c.mu.Lock()
	late := l.late
	l.late = nil
	c.mu.Unlock()
	for _, k := range late {
		k.queue.backlog.leave(k.queue)
	}
}
