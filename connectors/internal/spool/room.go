package spool

import "time"

// makeRoom drops old records until the appended ones fit: for the device's limit, records of its own queue; for the
// total, records of the largest queue, so that the device that floods the spool loses its own.
func (s *Spool) makeRoom(appends []*waiting) {
	for _, a := range appends {
		if a.refusal == nil {
			q := a.queue
			s.dropWhile(q, dropDeviceFull, func(time.Time) bool { return q.bytes > s.cfg.MaxBytesPerDevice })
		}
	}
	for {
		q := s.payer()
		if q == nil {
			return
		}
		due := func(time.Time) bool { return s.bytes > s.cfg.MaxBytes && s.holding[0] == q }
		if s.dropWhile(q, dropFull, due) == 0 {
			return
		}
	}
}

// payer returns the largest queue, or nil if the total is within the limit.
func (s *Spool) payer() *Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes <= s.cfg.MaxBytes || len(s.holding) == 0 || s.broken != nil {
		return nil
	}
	return s.holding[0]
}

// dropWhile drops the oldest records of a queue while due returns true, and returns their number. due is called with mu
// held and gets the time of publishing. Only the committer calls dropWhile.
func (s *Spool) dropWhile(q *Queue, reason string, due func(at time.Time) bool) (dropped int) {
	from, some := q.begin()
	if !some {
		return 0
	}
	err := s.disk.eachRecord(from, func(p place, value []byte) bool {
		at, err := decodeAt(value)
		s.mu.Lock()
		defer s.mu.Unlock()
		if p.sequence < q.head {
			return true
		}
		if q.durable == 0 || p.sequence > q.last || !due(at) {
			return false
		}
		reason := reason
		if err != nil {
			reason = dropUnreadable
		}
		s.drop(q, p.sequence, valueBytes(value), reason)
		dropped++
		return true
	})
	if failure := s.disk.Failure(); failure != nil {
		s.breakDown(failure)
	} else if err != nil {
		s.noteUnread(q, err)
	}
	return dropped
}
