package mqtt

import (
	"slices"
	"time"
)

// draining is the pace at which a lane publishes what waited in the spool. Guarded by client.mu.
type draining struct {
	left    int  // messages that waited for the connection, not for the disk: Config.Spool.DrainRate bounds them
	granted bool // the next may go
	waiting bool // for a timer
	looking bool // a timer looks whether what is stored can be read again
}

// takeTurn lets the lane publish its device's backlog.
func (l *lane) takeTurn() {
	l.client.mu.Lock()
	var told outcomes
	if l.ended { // meanwhile
		told.later(func() { l.backlog.leave(l) })
	} else {
		told = l.beginTurn()
	}
	l.client.mu.Unlock()
	told.tell()
}

// beginTurn needs the client's mu.
func (l *lane) beginTurn() outcomes {
	l.turn = true
	l.drain.restart(l)
	return l.pump()
}

// kick has the lane send what it can.
func (l *lane) kick() {
	l.client.mu.Lock()
	var told outcomes
	if !l.ended {
		told = l.pump()
	}
	l.client.mu.Unlock()
	told.tell()
}

// hasBacklog reports whether a stored message may be sent.
func (l *lane) hasBacklog() bool {
	return l.turn && l.publish == nil && !l.drain.waiting && !l.ended && l.backlog.queue.Len() > 0
}

// pumpBacklog sends what is stored, as far as it can.
func (l *lane) pumpBacklog() (told outcomes) {
	c := l.client
	for l.hasBacklog() {
		if !c.canTake(&nextStored) {
			l.block()
			return told
		}
		if !l.drain.mayGo(l) {
			return told
		}
		k, ok := l.backlog.first(l)
		if !ok { // it is not on disk yet, and then the lane is called, or the disk does not give it
			l.drain.look(l)
			break
		}
		told = append(told, l.sendStored(k)...)
	}
	if l.orphan && l.turn && !l.ended && l.publish == nil && l.backlog.queue.Len() == 0 {
		told = append(told, l.shut()...)
	}
	return told
}

// sendStored sends with the highest QoS that the broker takes: with QoS 0 there is no more to wait for.
func (l *lane) sendStored(k *call) (told outcomes) {
	c := l.client
	if k.ends >= suspectAt {
		return l.tryStored(k)
	}
	k.qos = min(k.qos, c.link.maxQoS)
	if reason := c.link.unfit(k); reason != 0 {
		return l.backlog.answered(k, reason)
	}
	if k.qos > 0 {
		c.begin(k)
		return nil
	}
	if r := c.sendQoS0(k); r.Ok() {
		l.backlog.queue.Remove(k.stored)
	} else {
		l.drain.wait(l, retryDelay)
	}
	return nil
}

// tryStored has a stored message tried for which connections ended while another lane had it.
func (l *lane) tryStored(k *call) outcomes {
	l.publish = k
	if l.client.triesItself() {
		l.client.addTrial(k)
		return l.client.try()
	}
	l.suspects = append(l.suspects, k)
	l.hold(0)
	return l.probeNext()
}

// close ends the lane: what it has not sent is refused.
func (l *lane) close() (told outcomes) {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	if l.ended {
		return nil
	}
	return append(l.finish(gone), l.shut()...)
}

// shut ends the lane's turn: at once, or when the stored message that is under way is answered or its connection lost. It needs the client's mu.
func (l *lane) shut() (told outcomes) {
	l.ended = true
	if b := l.client.broker; l.from != nil && (l.probing != nil || len(l.suspects) > 0) {
		b.offenders.suspect(l.from.ClientID, time.Now(), b.cfg.ReconnectDelay)
	}
	g, k := l.backlog, l.publish
	switch {
	case g == nil:
	case k == nil || k.stored == 0:
		told.later(func() { g.leave(l) })
	case l.held && l.probing == k: // the verdict ends it
	case l.held:
		l.publish = nil
		told.later(func() { g.leave(l) })
	case l.client.link == nil:
		return l.client.abandon(k)
	}
	return told
}

// abandon leaves a stored message that was under way on a lost connection to the lane that comes next: it is sent again in any case, and that lane
// may be connected first. It needs mu.
func (c *client) abandon(k *call) (told outcomes) {
	c.release(k)
	c.forgetTrial(k)
	c.resends = slices.DeleteFunc(c.resends, func(r *call) bool { return r == k })
	k.lane.publish = nil
	told.later(func() { k.lane.backlog.leave(k.lane) })
	return told
}

// restart counts what waited for the connection.
func (d *draining) restart(l *lane) {
	if l.turn {
		d.left = l.backlog.queue.Len()
	}
}

// mayGo reports whether the next stored message may be sent. If not, the lane is called when it may.
func (d *draining) mayGo(l *lane) bool {
	switch {
	case d.left <= 0:
		return true
	case d.granted:
		d.granted = false
	default:
		if wait := l.client.broker.drain.Reserve().Delay(); wait > 0 {
			d.wait(l, wait)
			return false
		}
	}
	d.left--
	return true
}

// look has the lane try again after a while, if nothing else does.
func (d *draining) look(l *lane) {
	if d.looking || l.backlog.queue.Len() == 0 {
		return
	}
	d.looking = true
	time.AfterFunc(retryDelay, func() {
		l.client.mu.Lock()
		d.looking = false
		l.client.mu.Unlock()
		l.kick()
	})
}

// wait stops the lane's backlog for a while.
func (d *draining) wait(l *lane, pause time.Duration) {
	d.waiting = true
	time.AfterFunc(pause, func() {
		l.client.mu.Lock()
		d.waiting, d.granted = false, true
		l.client.mu.Unlock()
		l.kick()
	})
}
