package spool

import (
	"errors"
	"fmt"
	"time"
)

// First returns the oldest record on disk and its number for [Queue.Remove]; it reads the disk. It returns the same
// record until that is removed or dropped, because it has expired or [Config.DropOldest] is set. ok is false if no
// record is on disk, or if the disk cannot be read.
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

// begin returns the place of the first record on disk.
func (q *Queue) begin() (from place, some bool) {
	q.spool.mu.Lock()
	defer q.spool.mu.Unlock()
	return place{q.number, q.head}, q.durable > 0
}

var errClosedFiles = errors.New("the files are not open")

// read returns a copy of the first value of a queue at or after from, or nil.
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
		err = s.disk.Failure() // a missing value may never have been written
	}
	return found, value, err
}

// noteUnread logs once that the disk cannot be read. If it cannot be written to either, the committer has logged that.
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

// take hands out a record that was read, or drops it. It also returns false if the head of the queue has changed since.
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
		s.cfg.Logger.Error("dropping an unreadable record from the spool", "client", q.clientID, "error", err)
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

// valueBytes returns how much a record with this value counts.
func valueBytes(value []byte) int64 { return recordOverhead + int64(len(value)) - valueHeader }

func (s *Spool) isExpired(at time.Time) bool { return time.Since(at) > s.cfg.MaxAge }

// miss handles records that are missing on disk because files were deleted.
func (q *Queue) miss(from place) {
	s := q.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.head != from.sequence || q.durable == 0 {
		return
	}
	s.cfg.Logger.Error(fmt.Sprintf("%d records are missing from the spool", q.durable), "client", q.clientID)
	s.cfg.Metrics.dropped.WithLabelValues(dropUnreadable).Add(float64(q.durable))
	s.cfg.Metrics.records.Sub(float64(q.durable))
	held := q.held
	q.durable, q.held, q.handed = 0, 0, handed{}
	s.leave(q, held)
}

// Remove removes a record that the broker has accepted. It does nothing if First did not return that number, or if the
// record was dropped since. The disk is not synced for it: after a crash, the record may be back.
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

// drop must be called with mu held.
func (s *Spool) drop(q *Queue, seq uint64, size int64, reason string) {
	s.forget(q, seq, size)
	s.cfg.Metrics.dropped.WithLabelValues(reason).Inc()
	s.wakeCommitter()
}

// forget removes the oldest record from the queue. mu must be held.
func (s *Spool) forget(q *Queue, seq uint64, size int64) {
	if !s.readOnly { // otherwise reconcile deletes it
		s.removals = append(s.removals, place{q.number, seq})
	}
	s.cfg.Metrics.records.Dec()
	q.handed = handed{}
	q.head = seq + 1
	q.durable--
	q.held -= size
	s.leave(q, size)
}

// leave counts bytes that have left a queue. mu must be held.
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
