package mqtt

// leaveLate is for a stored publish that is unacknowledged when its client ends: the answer may still come, before the broker closes the connection,
// and saves sending it twice. The client's mu is held.
func (c *call) leaveLate(l *link) (told outcomes) {
	switch {
	case c.stored == 0:
	case l != nil && !l.dead:
		if l.late == nil {
			l.late = map[uint16]*call{}
		}
		l.late[c.id] = c
	default:
		told.later(func() { c.lane.backlog.leave(c.lane) })
	}
	return told
}

// answeredLate ends such a publish, and any that is not one is ignored. It needs mu.
func (l *link) answeredLate(id uint16, qos, reason byte) (told outcomes) {
	k := l.late[id]
	if k == nil || k.qos != qos || k.released != (qos == 2) {
		return nil
	}
	delete(l.late, id)
	return k.lane.backlog.answered(k, reason)
}

// lateEnded gives up waiting for those answers.
func (c *client) lateEnded(l *link) {
	c.mu.Lock()
	late := l.late
	l.late = nil
	c.mu.Unlock()
	for _, k := range late {
		k.lane.backlog.leave(k.lane)
	}
}
