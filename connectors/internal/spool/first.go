package spool

import (
	"errors"
	"fmt"
	"time"
)

// First returns the oldest record that is on disk, and the number to [Queue.Remove] it with; it reads the disk. Until
// then it returns the same record again, unless that was dropped meanwhile: for its age, or where [Config.DropOldest]
// is set. ok is false where nothing is on disk, and while the disk cannot be read.
func (q *Queue) First() (seq uint64, r Record, ok bool) {
	s := q.spool
	for {
		from, some := q.begin()
		if !some {
			return 0, Record{}, false
		}
		found, value, err := s.read(from)
		switch {
		case err != nil:
			s.noteUnread(q, err)
			return 0, Record{}, false
		case value == nil:
			q.miss(from)
			continue
		}
		if r, ok := q.take(from, found, value); ok {
			return found.sequence, r, true
		}
	}
}

// begin is where the records on disk begin.
func (q *Queue) begin() (from place, some bool) {
	q.spool.mu.Lock()
	defer q.spool.mu.Unlock()
	return place{q.number, q.head}, q.durable > 0
}

var errClosedFiles = errors.New("the files are not open")

// read returns a copy of the first value of a queue from a place on, nil where there is none.
func (s *Spool) read(from place) (found place, value []byte, err error) {
	s.diskMu.RLock()
	defer s.diskMu.RUnlock()
	if s.disk == nil {
		return place{}, nil, errClosedFiles
	}
	err = s.disk.eachRecord(from, func(at place, v []byte) bool {
		found, value = at, append(make([]byte, 0, len(v)), v...)
		return false
	})
	if err == nil && value == nil {
		err = s.disk.fs.err() // what is missing may never have been written
	}
	return found, value, err
}

// noteUnread says once that the disk cannot be read. While nothing can be written the committer has said so.
func (s *Spool) noteUnread(q *Queue, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unread || s.broken != nil || s.closing {
		return
	}
	s.unread = true
	s.cfg.Metrics.failures.Inc()
	s.cfg.Logger.Error("the spool cannot read its disk", "folder", s.cfg.Folder, "client", q.clientID, "error", err)
}

// take hands out a record that was read, or drops it. It reports false too where the queue begins elsewhere by now.
func (q *Queue) take(from, found place, value []byte) (Record, bool) {
	r, err := decode(value)
	s := q.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.head != from.sequence || q.durable == 0 {
		return Record{}, false
	}
	size := valueBytes(value)
	switch {
	case err != nil:
		s.drop(q, found.sequence, size, dropUnreadable)
		s.cfg.Logger.Error("a record of the spool cannot be read and was dropped", "client", q.clientID, "error", err)
		return Record{}, false
	case s.isExpired(r.At):
		s.drop(q, found.sequence, size, dropExpired)
		return Record{}, false
	}
	q.head = found.sequence
	q.since = r.At
	q.handed = handed{found.sequence, size}
	return r, true
}

// valueBytes is what a record of this value counts.
func valueBytes(value []byte) int64 { return recordOverhead + int64(len(value)) - valueHeader }

func (s *Spool) isExpired(at time.Time) bool { return time.Since(at) > s.cfg.MaxAge }

// miss is for records that should be on disk and are not: somebody took files away.
func (q *Queue) miss(from place) {
	s := q.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.head != from.sequence || q.durable == 0 {
		return
	}
	s.cfg.Logger.Error(fmt.Sprintf("%d records of the spool are missing", q.durable), "client", q.clientID)
	s.cfg.Metrics.dropped.WithLabelValues(dropUnreadable).Add(float64(q.durable))
	s.cfg.Metrics.records.Sub(float64(q.durable))
	held := q.held
	q.durable, q.held, q.handed = 0, 0, handed{}
	s.leave(q, held)
}

// Remove forgets a record that the broker has taken. It does nothing where First did not return that number, or the
// record was dropped since. The disk is not synced for it: after a crash the record may be there again.
func (q *Queue) Remove(seq uint64) {
	s := q.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq == 0 || q.handed.sequence != seq || s.closing {
		return
	}
	s.forget(q, seq, q.handed.bytes)
	s.cfg.Metrics.removed.Inc()
	s.wakeCommitter()
}

// drop needs mu.
func (s *Spool) drop(q *Queue, seq uint64, size int64, reason string) {
	s.forget(q, seq, size)
	s.cfg.Metrics.dropped.WithLabelValues(reason).Inc()
	s.wakeCommitter()
}

// forget takes the oldest record off the queue. It needs mu.
func (s *Spool) forget(q *Queue, seq uint64, size int64) {
	if !s.readOnly { // reconcile deletes it otherwise
		s.removals = append(s.removals, place{q.number, seq})
	}
	s.cfg.Metrics.records.Dec()
	q.handed = handed{}
	q.head = seq + 1
	q.durable--
	q.held -= size
	s.leave(q, size)
}

// leave counts what has left a queue. It needs mu.
func (s *Spool) leave(q *Queue, size int64) {
	s.add(q, -size)
	s.holding.update(q)
	if q.durable == 0 {
		s.cfg.Metrics.devices.Dec()
		s.settle(q)
	}
	if s.readOnly && len(s.holding) == 0 {
		select {
		case s.empty <- struct{}{}:
		default:
		}
	}
}
