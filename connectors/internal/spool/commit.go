package spool

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// maxCommit is the approximate size of one commit in bytes: less than half of pebble's memtable, above which a batch
// costs more.
const maxCommit = 1 << 20

// work is the contents of one commit.
type work struct {
	appends   []*waiting
	records   int // number of appends that are not refusals
	removals  []place
	forgotten []uint64
}

// run is the committer's loop.
func (s *Spool) run() {
	defer close(s.ended)
	sweep := time.NewTicker(s.sweepPause())
	defer sweep.Stop()
	repair := time.NewTicker(s.repairPause)
	defer repair.Stop()
	for {
		select {
		case <-s.wake:
		case <-sweep.C:
			s.sweep()
		case <-repair.C:
			s.repair()
		case <-s.empty:
			s.repair()
		case <-s.closed:
			s.repair() // otherwise, messages already delivered would be delivered again
			s.commitAll()
			return
		}
		s.commitAll()
	}
}

func (s *Spool) commitAll() {
	for {
		appends, some := s.takeAppends()
		if !some {
			return
		}
		if s.cfg.DropOldest {
			s.makeRoom(appends)
		}
		s.commit(s.takeWork(appends))
	}
}

// takeAppends takes at most maxCommit bytes of records, but at least one record, and reports whether there is anything
// to commit.
func (s *Spool) takeAppends() (appends []*waiting, some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var size int64
	n := 0
	for n < len(s.appends) && (n == 0 || size+s.appends[n].bytes <= maxCommit) {
		size += s.appends[n].bytes
		n++
	}
	appends = s.appends[:n:n]
	if s.appends = s.appends[n:]; len(s.appends) == 0 {
		s.appends = nil
	}
	return appends, n > 0 || (!s.readOnly && len(s.removals)+len(s.forgotten) > 0)
}

// takeWork adds the pending deletions.
func (s *Spool) takeWork(appends []*waiting) work {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := work{appends: appends}
	if !s.readOnly {
		w.removals, w.forgotten = s.removals, s.forgotten
		s.removals, s.forgotten = nil, nil
	}
	for _, a := range appends {
		if a.refusal == nil {
			w.records++
			if a.queue.number == 0 {
				a.queue.number = s.nextNumber
				s.nextNumber++
			}
		}
	}
	return w
}

// commit writes w and then calls the callbacks of its appends.
func (s *Spool) commit(w work) {
	err := s.write(w)
	if failure := (*diskError)(nil); err != nil && !errors.As(err, &failure) {
		s.breakDown(err)
	}
	s.mu.Lock()
	if err != nil {
		err = s.broken
	}
	for _, a := range w.appends {
		if a.refusal == nil {
			s.finish(a, err)
		}
	}
	s.mu.Unlock()
	for _, a := range w.appends {
		if a.refusal != nil {
			a.finish(a.refusal)
		} else {
			a.finish(err)
		}
	}
}

func (s *Spool) write(w work) error {
	s.mu.Lock()
	broken, readOnly := s.broken, s.readOnly
	s.mu.Unlock()
	if broken != nil { // refuse the appends
		w.appends, w.records = nil, 0
	}
	if readOnly || w.records+len(w.removals)+len(w.forgotten) == 0 {
		return broken
	}
	batch := s.disk.NewBatch()
	defer batch.Close()
	if err := w.fill(batch); err != nil {
		return err
	}
	start := time.Now()
	if err := s.disk.Commit(batch, w.records > 0); err != nil {
		return err
	}
	if w.records > 0 {
		s.cfg.Metrics.commits.Inc()
		s.cfg.Metrics.seconds.Observe(time.Since(start).Seconds())
	}
	return broken
}

// fill adds deletions first: a forgotten number is not used again.
func (w work) fill(batch *pebble.Batch) error {
	for _, p := range w.removals {
		if err := batch.Delete(p.key(), nil); err != nil {
			return err
		}
	}
	for _, number := range w.forgotten {
		if err := batch.Delete(clientKey(number), nil); err != nil {
			return err
		}
	}
	for _, a := range w.appends {
		if a.refusal != nil {
			continue
		}
		if err := a.put(batch); err != nil {
			return err
		}
	}
	return nil
}

func (a *waiting) put(batch *pebble.Batch) error {
	q := a.queue
	if q.next == 1 {
		if err := batch.Set(clientKey(q.number), []byte(q.clientID), nil); err != nil {
			return err
		}
	}
	a.sequence = q.next
	q.next++
	return batch.Set(place{q.number, a.sequence}.key(), a.value, nil)
}

// finish counts a record that was written or, if err is set, could not be. mu must be held.
func (s *Spool) finish(a *waiting, err error) {
	q, m := a.queue, s.cfg.Metrics
	q.waiting--
	s.waiting -= a.bytes
	if err != nil {
		s.add(q, -a.bytes)
		m.refused.WithLabelValues(refuseDisk).Inc()
		s.settle(q)
		return
	}
	if q.durable == 0 {
		q.head, q.since = a.sequence, a.at
		m.devices.Inc()
	}
	q.durable++
	q.held += a.bytes
	q.last = a.sequence
	s.holding.update(q)
	m.records.Inc()
	m.appended.Inc()
}
