package spool

import "time"

// sweepPause returns the interval between sweeps: a sixteenth of MaxAge, at most a minute.
func (s *Spool) sweepPause() time.Duration {
	return min(max(s.cfg.MaxAge/16, time.Millisecond), time.Minute)
}

// sweep drops expired records. It reads only queues whose oldest record may have expired. Records expire in queue
// order: one with an earlier time than the one before it is dropped after that.
func (s *Spool) sweep() {
	for _, q := range s.stale() {
		s.dropWhile(q, dropExpired, func(at time.Time) bool {
			q.since = at
			return s.isExpired(at)
		})
	}
}

func (s *Spool) stale() (queues []*Queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil
	}
	for _, q := range s.holding {
		if s.isExpired(q.since) {
			queues = append(queues, q)
		}
	}
	return queues
}
