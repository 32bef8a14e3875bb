package mqtt

import (
	"errors"
	"sync"
	"time"

	"github.com/exgate/exgate/connectors/internal/spool"
	"github.com/exgate/exgate/runtime/gateway"
)

// backlog is what the spool has of one device, and which lane publishes it: one at a time, or messages could overtake each other. That is the lane of
// the device's session, and without one a lane of the gateway's own.
type backlog struct {
	broker *broker
	id     string // of the device's client
	queue  *spool.Queue
	users  int // lanes, guarded by broker.mu

	mu     sync.Mutex // a client's comes before it
	holder *lane      // publishes; guarded by mu, as below
	next   *lane      // when the holder has ended
}

// backlogOf returns the backlog of a client id for one more lane.
func (b *broker) backlogOf(id string) *backlog {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.backlogs[id]
	if g == nil {
		g = &backlog{broker: b, id: id, queue: b.spool.spool.Queue(id)}
		b.backlogs[id] = g
	}
	g.users++
	return g
}

// store gives a lane the spool of its device, if there is one.
func (l *lane) store(b *broker, id string) {
	if b.spool.spool == nil {
		return
	}
	g := b.backlogOf(id)
	l.client.mu.Lock()
	ended := l.ended
	l.backlog = g
	l.client.mu.Unlock()
	if ended { // it had no backlog to leave then
		g.leave(l)
		return
	}
	g.enter(l)
}

// enter makes l the lane that publishes, once the one before has ended.
func (g *backlog) enter(l *lane) {
	g.mu.Lock()
	before := g.holder
	if before == nil {
		g.holder = l
	} else {
		g.next = l
	}
	g.mu.Unlock()
	if before == nil {
		l.takeTurn()
		return
	}
	told, _ := before.close()
	told.tell()
}

// leave ends l's part, and gives its turn to the next lane. Where there is none and something is left, the gateway goes on with it.
func (g *backlog) leave(l *lane) {
	g.mu.Lock()
	if g.next == l {
		g.next = nil
	}
	var heir *lane
	if g.holder == l {
		heir = g.next
		g.holder, g.next = heir, nil
	}
	g.mu.Unlock()
	if heir != nil {
		heir.takeTurn()
	}
	b := g.broker
	b.mu.Lock()
	g.users--
	last := g.users == 0
	if last {
		delete(b.backlogs, g.id)
	}
	b.mu.Unlock()
	if !last {
		return
	}
	left := g.queue.Len()
	g.queue.Release()
	if left > 0 && !l.refused {
		b.adopt(g.id)
	}
}

// append stores a publish of QoS 1 or 2. It is done when it is on disk.
func (g *backlog) append(k call) {
	done := k.done
	g.queue.Append(spool.Record{Topic: k.topic, Payload: k.payload, QoS: k.qos, Properties: k.props, At: time.Now()}, func(err error) {
		finish(done, storedResult(err))
		if err == nil {
			g.kick()
		}
	})
}

func storedResult(err error) gateway.Result {
	switch {
	case err == nil:
		return gateway.OK
	case errors.Is(err, spool.ErrFull):
		return gateway.Refuse(gateway.CodeLimit, "%v", err)
	case errors.Is(err, spool.ErrClosed):
		return gone
	}
	return gateway.Refuse(gateway.CodeUnknown, "storing the message: %v", err)
}

// kick has the holder look for what is new.
func (g *backlog) kick() {
	g.mu.Lock()
	l := g.holder
	g.mu.Unlock()
	if l != nil {
		l.kick()
	}
}

// retryable are refusals that pass: what the device was told is safe must not be dropped for them.
func retryable(reason byte) bool { return reason == 0x80 || reason == 0x83 || reason == 0x97 }

const retryDelay = 5 * time.Second

// answered ends the publish of a stored message. The client's mu is held.
func (g *backlog) answered(k *call, reason byte) (told outcomes) {
	l, m := k.lane, g.broker.metrics
	switch {
	case reason < 0x80:
		g.queue.Remove(k.stored)
	case retryable(reason):
		l.drain.wait(l, retryDelay)
	case l.orphan && notAllowed(reason):
		l.refused = true // the device itself may be allowed to
		told = append(told, l.shut()...)
		g.broker.log.Warn("the broker does not let the gateway publish what a device left in the spool; it waits for the device",
			"client_id", g.id, "topic", k.topic, "reason", reasonName(reason))
	default:
		g.queue.Remove(k.stored)
		m.dropped.WithLabelValues(dropRefused).Inc()
		g.broker.log.Warn("the broker refused a message from the spool; it is dropped",
			"client_id", g.id, "topic", k.topic, "reason", reasonName(reason))
	}
	if l.ended {
		told.later(func() { g.leave(l) })
	}
	return told
}

func notAllowed(reason byte) bool { return codeOf(reason) == gateway.CodePermissionDeny }

// first is the oldest message as a call. Expired ones are dropped.
func (g *backlog) first(l *lane) (*call, bool) {
	for {
		seq, r, ok := g.queue.First()
		if !ok {
			return nil, false
		}
		k := &call{kind: publishing, topic: r.Topic, payload: r.Payload, qos: r.QoS, props: r.Properties, stored: seq, lane: l}
		expiry := g.broker.cfg.MessageExpiry
		if expiry == 0 {
			return k, true
		}
		if left := expiry - time.Since(r.At); left > 0 {
			k.props = withExpiry(min(left, expiry), r.Properties)
			return k, true
		}
		g.queue.Remove(seq)
		g.broker.metrics.dropped.WithLabelValues(dropExpired).Inc()
	}
}
