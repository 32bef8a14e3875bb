package spool

import (
	"fmt"
	"time"
)

// recordOverhead is what a record counts beside its contents: its key, the header of its value, and pebble's share.
const recordOverhead = 64

// maxWaiting bounds, in bytes, what waits in memory to be written.
const maxWaiting = 64 << 20

// Queue is the records of one client id, in the order in which they were appended. Its methods are safe for concurrent
// use.
//
// It takes about 200 bytes and the client id, however many records it has; without records and users it takes nothing.
type Queue struct {
	spool    *Spool
	clientID string

	next uint64 // the sequence number that the committer gives to the next record; owned by it

	// Guarded by spool.mu.
	number  uint64    // of the queue on disk, given by the committer; 0 while there is nothing of it
	users   int       // calls of Spool.Queue without Release
	index   int       // in spool.holding, -1 while it is not there
	durable int       // records on disk
	held    int64     // their bytes
	waiting int       // records that wait to be written
	bytes   int64     // all records' bytes, and the client id's
	head    uint64    // no record on disk has a lower sequence number
	last    uint64    // nor a higher one
	since   time.Time // no record on disk is older
	handed  handed    // what First returned
}

// handed is a record that First has handed out; its sequence number is 0 where there is none.
type handed struct {
	sequence uint64
	bytes    int64
}

// waiting is a record on its way to the committer, or a refusal.
type waiting struct {
	queue    *Queue
	value    []byte
	at       time.Time
	bytes    int64
	sequence uint64 // given by the committer
	refusal  error
	done     func(error)
}

// newQueue needs mu.
func (s *Spool) newQueue(clientID string) *Queue {
	q := &Queue{spool: s, clientID: clientID, index: -1, next: 1}
	s.queues[clientID] = q
	return q
}

// Append puts a record at the end of the queue. It copies what r holds and never waits for the disk.
//
// done is called exactly once, after Append has returned or beside it, on a goroutine that holds no lock of the spool;
// it must not block. The dones of one queue come in the order of its Appends, until the spool is closed. It gets nil
// when the record is on disk and synced, an error for which errors.Is(err, [ErrFull]) holds and which names the bound,
// [ErrClosed], or what the disk said. After an error of the disk the record is not in the queue.
func (q *Queue) Append(r Record, done func(error)) {
	if r.At.IsZero() {
		r.At = time.Now()
	}
	w := &waiting{queue: q, at: r.At, done: done, refusal: r.check()}
	if w.refusal == nil {
		w.value = r.encode()
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

// refuse says which bound stands against so many bytes more. It needs mu.
func (s *Spool) refuse(q *Queue, n int64) error {
	if q.bytes == 0 {
		n += int64(len(q.clientID))
	}
	total, device := s.cfg.MaxBytes, s.cfg.MaxBytesPerDevice
	alone := q.bytes - q.held // what no drop makes room for
	switch {
	case n > device:
		return s.full(refuseLarge, "a record of %d bytes is over upstream.spool.max_bytes_per_device, %d bytes", n,
			device)
	case n > total:
		return s.full(refuseLarge, "a record of %d bytes is over upstream.spool.max_bytes, %d bytes", n, total)
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

// add counts bytes of a queue, or takes them off where n is negative; the client id counts with the first and is taken
// off with the last. It needs mu.
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

// Len is how many records the queue has: those that First can return, and those that wait for the disk.
func (q *Queue) Len() int {
	q.spool.mu.Lock()
	defer q.spool.mu.Unlock()
	return q.durable + q.waiting
}

// Release says that a user of the queue, who got it from [Spool.Queue], has gone. The records stay. The user calls
// nothing of it afterwards.
func (q *Queue) Release() {
	q.spool.mu.Lock()
	defer q.spool.mu.Unlock()
	q.users--
	q.spool.settle(q)
}

// settle forgets a queue without records and users. It needs mu.
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
