package state

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/exgate/exgate/runtime/gateway"
)

const (
	// maxCommit is the approximate size of one commit in bytes: less than half of pebble's memtable.
	maxCommit = 1 << 20
	// maxWaiting bounds the values that wait for the disk, in bytes.
	maxWaiting = 64 << 20
)

// entry is a value that waits to be written. Guarded by Store.mu until it is taken for a commit; its value is never
// changed.
type entry struct {
	key    string
	value  []byte
	dones  []gateway.Done
	result gateway.Result
}

// save replaces the value of key that waits, or adds one.
func (s *Store) save(key string, value []byte, done gateway.Done) {
	if r := s.add(key, value, done); !r.Ok() {
		go done(r)
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Store) add(key string, value []byte, done gateway.Done) gateway.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.next[key]
	more := int64(len(value))
	if e != nil {
		more -= int64(len(e.value))
	}
	switch {
	case s.closing:
		return gateway.Refuse(gateway.CodeConnProcessNotAlive, "the gateway is stopping")
	case s.broken != nil:
		s.cfg.Metrics.refused.WithLabelValues(refuseDisk).Inc()
		return brokenResult
	case s.waiting+more > maxWaiting:
		s.cfg.Metrics.refused.WithLabelValues(refuseBehind).Inc()
		return gateway.Refuse(gateway.CodeLimit, "the disk is too slow for the states of all devices")
	}
	if e == nil {
		e = &entry{key: key}
		s.next[key] = e
		s.order = append(s.order, e)
	}
	e.value, e.dones = value, append(e.dones, done)
	s.waiting += more
	return gateway.OK
}

var brokenResult = gateway.Refuse(gateway.CodeUnknown,
	"the disk of upstream.state_folder cannot be written to; the state that was saved before is kept")

// take takes the values of the next commit.
func (s *Store) take() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, 0
	for n < len(s.order) && (n == 0 || size+len(s.order[n].value) <= maxCommit) {
		size += len(s.order[n].value)
		n++
	}
	batch := s.order[:n:n]
	if s.order = s.order[n:]; len(s.order) == 0 {
		s.order = nil
	}
	s.writing = make(map[string]*entry, n)
	for _, e := range batch {
		delete(s.next, e.key)
		s.writing[e.key] = e
	}
	return batch
}

func (s *Store) commitAll() {
	for {
		batch := s.take()
		if len(batch) == 0 {
			return
		}
		s.commit(batch)
	}
}

// commit writes batch and then calls its callbacks.
func (s *Store) commit(batch []*entry) {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken == nil {
		if err := s.write(batch); err != nil {
			s.breakDown(err)
			broken = err
		}
	}
	if broken != nil {
		s.cfg.Metrics.refused.WithLabelValues(refuseDisk).Add(float64(len(batch)))
	}
	s.mu.Lock()
	s.writing = nil
	for _, e := range batch {
		s.waiting -= int64(len(e.value))
	}
	s.mu.Unlock()
	for _, e := range batch {
		if broken != nil {
			e.result = brokenResult
		}
		for _, done := range e.dones {
			done(e.result)
		}
	}
}

// write writes the values that there is room for, and sets the results of the others.
func (s *Store) write(batch []*entry) error {
	w := s.disk.NewBatch()
	defer w.Close()
	t, n := s.totals, 0
	for _, e := range batch {
		old, err := get(s.disk, e.key)
		if err != nil {
			return errors.Join(err, s.disk.Failure())
		}
		after := t
		after.bytes += sizeOf(e.key, len(e.value)) - sizeOf(e.key, len(old))
		if after.bytes > s.cfg.MaxBytes && after.bytes > t.bytes {
			s.cfg.Metrics.refused.WithLabelValues(refuseFull).Inc()
			e.result = gateway.Refuse(gateway.CodeLimit,
				"the states of all devices have %d bytes already (upstream.state_max_bytes)", t.bytes)
			continue
		}
		after.values += count(e.value) - count(old)
		if err := put(w, e); err != nil {
			return err
		}
		t = after
		n++
	}
	if n == 0 {
		return nil
	}
	if err := w.Set(totalsKey, t.encode(), nil); err != nil {
		return err
	}
	if err := s.disk.Commit(w, true); err != nil {
		return err
	}
	s.cfg.Metrics.commits.Inc()
	s.cfg.Metrics.saved.Add(float64(n))
	s.setTotals(t)
	return nil
}

func count(value []byte) int64 {
	if len(value) > 0 {
		return 1
	}
	return 0
}

func put(w *pebble.Batch, e *entry) error {
	if len(e.value) == 0 {
		return w.Delete([]byte(e.key), nil)
	}
	return w.Set([]byte(e.key), e.value, nil)
}

func (s *Store) setTotals(t totals) {
	s.totals = t
	s.cfg.Metrics.values.Set(float64(t.values))
	s.cfg.Metrics.bytes.Set(float64(t.bytes))
}

// refuseAll refuses the values that wait for a folder that was never opened.
func (s *Store) refuseAll() {
	for batch := s.take(); len(batch) > 0; batch = s.take() {
		for _, e := range batch {
			for _, done := range e.dones {
				done(brokenResult)
			}
		}
	}
}
