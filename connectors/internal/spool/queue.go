package spool

import (
	"errors"
	"fmt"
	"time"
)

// recordOverhead is what a record counts in addition to its contents: its key, the header of its value, and pebble's
// share.
const recordOverhead = 64

// maxWaiting limits the records waiting to be written, in bytes.
const maxWaiting = 64 << 20

// Queue is the records of one client id, in the order of their appends. Its methods are safe for concurrent use.
//
// It uses about 200 bytes plus the client id, however many records it has. A queue without records and users uses no
// memory.
type Queue struct {
	spool    *Spool
	clientID string

	next uint64 // sequence number of the next record; owned by the committer

	// Guarded by spool.mu.
	number  uint64    // of the queue on disk, assigned by the committer; 0: not on disk
	users   int       // calls of Spool.Queue without Release
	index   int       // in spool.holding; -1: not in it
	durable int       // records on disk
	held    int64     // their bytes
	waiting int       // records waiting to be written
	bytes   int64     // size of all records and the client id
	head    uint64    // lowest sequence number on disk
	last    uint64    // highest sequence number on disk
	since   time.Time // time of the oldest record on disk, or earlier
	handed  handed    // the record that First returned
}

// handed is a record that First has returned; sequence 0 means none.
type handed struct {
	sequence uint64
	bytes    int64
}

// waiting is a record waiting for the committer, or a refusal.
type waiting struct {
	queue    *Queue
	value    []byte
	payload  []byte // its part of value
	at       time.Time
	bytes    int64
	sequence uint64 // assigned by the committer
	refusal  error
	done     func(error)
}

// refusedError is why a record was not stored, with its payload.
type refusedError struct {
	error
	payload []byte
}

func (e *refusedError) Unwrap() error { return e.error }

// finish calls the callback. If err is set, the record was not stored.
func (w *waiting) finish(err error) {
	if err != nil && w.value != nil {
		err = &refusedError{err, w.payload}
	}
	w.done(err)
}

// Payload returns Append's copy of the payload of a record that was refused with err, and whether there is one.
func Payload(err error) (payload []byte, ok bool) {
	var refused *refusedError
	if !errors.As(err, &refused) {
		return nil, false
	}
	return refused.payload, true
}

// newQueue must be called with mu held.
func (s *Spool) newQueue(clientID string) *Queue {
	q := &Queue{spool: s, clientID: clientID, index: -1, next: 1}
	s.queues[clientID] = q
	return q
}

// Append adds a record to the queue. It copies r and never waits for the disk.
//
// done is called exactly once, during or after Append, on a goroutine that holds no lock of the spool; it must not
// block. The callbacks of one queue are called in the order of its Appends, until the spool is closed. The error is nil
// once the record is on disk and synced. Otherwise it wraps [ErrFull] and names the limit, is [ErrClosed], or is the
// error of the disk; then the record is not in the queue. [Payload] returns the payload of a refused record.
func (q *Queue) Append(r Record, done func(error)) {
	if r.At.IsZero() {
		r.At = time.Now()
	}
	w := &waiting{queue: q, at: r.At, done: done, refusal: r.check()}
	if w.refusal == nil {
		w.value = r.encode()
		w.payload = w.value[len(w.value)-len(r.Payload):]
		w.bytes = recordOverhead + int64(len(w.value)) - valueHeader
	}
	if q.spool.enqueue(w) {
		q.spool.wakeCommitter()
		return
	}
	go done(ErrClosed)
}

func (s *Spool) enqueue(w *waiting) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if w.refusal == nil {
		w.refusal = s.refuse(w.queue, w.bytes)
	}
	if w.refusal == nil {
		s.add(w.queue, w.bytes)
		w.queue.waiting++
		s.waiting += w.bytes
	}
	s.appends = append(s.appends, w)
	return true
}

// refuse returns an error that names the limit if n more bytes would exceed one. mu must be held.
func (s *Spool) refuse(q *Queue, n int64) error {
	if q.bytes == 0 {
		n += int64(len(q.clientID))
	}
	total, device := s.cfg.MaxBytes, s.cfg.MaxBytesPerDevice
	alone := q.bytes - q.held // bytes that dropping records cannot free
	switch {
	case n > device:
		return s.full(refuseLarge, "a record of %d bytes exceeds upstream.spool.max_bytes_per_device, %d bytes", n,
			device)
	case n > total:
		return s.full(refuseLarge, "a record of %d bytes exceeds upstream.spool.max_bytes, %d bytes", n, total)
	case s.waiting > 0 && s.waiting+n > maxWaiting:
		return s.full(refuseBehind, "the disk is slow: %d bytes wait to be written", s.waiting)
	case q.bytes+n > device && (!s.cfg.DropOldest || alone+n > device):
		return s.full(refuseDeviceFull, "the device has reached upstream.spool.max_bytes_per_device, %d bytes", device)
	case s.bytes+n > total && (!s.cfg.DropOldest || s.waiting+n > total):
		return s.full(refuseFull, "all devices together have reached upstream.spool.max_bytes, %d bytes", total)
	}
	return nil
}

func (s *Spool) full(reason, format string, args ...any) error {
	s.cfg.Metrics.refused.WithLabelValues(reason).Inc()
	return fmt.Errorf("%w: %s", ErrFull, fmt.Sprintf(format, args...))
}

func (s *Spool) wakeCommitter() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// add counts n bytes of a queue; n may be negative. The client id is added with the first record and removed with the
// last. mu must be held.
func (s *Spool) add(q *Queue, n int64) {
	id := int64(len(q.clientID))
	if q.bytes == 0 {
		n += id
	} else if q.bytes+n == id {
		n -= id
	}
	q.bytes += n
	s.bytes += n
	s.cfg.Metrics.bytes.Add(float64(n))
}

// Len returns the number of records, including those waiting to be written.
func (q *Queue) Len() int {
	q.spool.mu.Lock()
	defer q.spool.mu.Unlock()
	return q.durable + q.waiting
}

// Holds reports whether records are on disk.
func (q *Queue) Holds() bool {
	q.spool.mu.Lock()
	defer q.spool.mu.Unlock()
	return q.durable > 0
}

// Release ends a use of the queue that began with [Spool.Queue]. The records stay. The caller must not use the queue
// afterwards.
func (q *Queue) Release() {
	q.spool.mu.Lock()
	defer q.spool.mu.Unlock()
	q.users--
	q.spool.settle(q)
}

// settle forgets a queue without records and users. mu must be held.
func (s *Spool) settle(q *Queue) {
	if q.users > 0 || q.durable > 0 || q.waiting > 0 || s.queues[q.clientID] != q {
		return
	}
	delete(s.queues, q.clientID)
	if q.number != 0 && !s.readOnly {
		s.forgotten = append(s.forgotten, q.number)
		s.wakeCommitter()
	}
}
