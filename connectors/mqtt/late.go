package mqtt

// leaveLate is for a stored publish that is unacknowledged when its client ends: the answer may still come, before the broker closes the connection,
// and saves sending it twice. The client's mu is held.
func (c *call) leaveLate(l *link) (told outcomes) {
	switch {
	case c.stored == 0:
	case l != nil && !l.dead:
		l.late = c
	default:
		told.later(func() { c.lane.backlog.leave(c.lane) })
	}
	return told
}

// lateEnded gives up waiting for that answer.
func (c *client) lateEnded(l *link) {
	c.mu.Lock()
	k := l.late
	l.late = nil
	c.mu.Unlock()
	if k != nil {
		k.lane.backlog.leave(k.lane)
	}
}
