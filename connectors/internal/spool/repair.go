package spool

import (
	"cmp"
	"context"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// breakDown refuses appends until repair succeeds, and reopens the files read-only so that acknowledged records are
// delivered meanwhile. Only the committer calls it.
func (s *Spool) breakDown(err error) {
	s.noteBroken(err)
	s.diskMu.Lock()
	defer s.diskMu.Unlock()
	s.openReadOnly()
}

// noteBroken logs once that the disk cannot be written to.
func (s *Spool) noteBroken(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readOnly = true
	s.removals, s.forgotten = nil, nil // reconcile finds them
	if s.broken != nil {
		return
	}
	s.broken = &diskError{s.cfg.Folder, err}
	s.cfg.Metrics.failures.Inc()
	s.cfg.Logger.Error(
		"the spool cannot write to its disk: publishes go to the broker directly, or are refused while it is away",
		"folder", s.cfg.Folder, "error", err, "advice", advice(err))
}

// diskError is the error of an append after a disk error.
type diskError struct {
	folder string
	err    error
}

func (e *diskError) Error() string {
	return "writing to upstream.spool.folder " + e.folder + ": " + e.err.Error()
}
func (e *diskError) Unwrap() error { return e.err }

// repair makes the spool writable again after a disk error. It reopens the files, as after a crash, makes them match
// the queues, and accepts appends once there is space for the reserve.
func (s *Spool) repair() {
	s.mu.Lock()
	broken, readOnly, held := s.broken, s.readOnly, len(s.holding)
	s.mu.Unlock()
	if broken == nil {
		return
	}
	if readOnly && !s.reopen(held == 0) {
		return
	}
	err := s.folder().MakeReserve()
	if err != nil && s.excise() {
		err = s.folder().MakeReserve()
	}
	if err != nil {
		s.cfg.Logger.Debug("not enough space yet for the spool's reserve", "folder", s.cfg.Folder, "error", err)
		return
	}
	s.mu.Lock()
	s.broken, s.unread = nil, false
	s.mu.Unlock()
	s.cfg.Logger.Info("the spool can write to its disk again", "folder", s.cfg.Folder)
}

// maxExcised limits the ranges of one call of excise: each is a write to the disk.
const maxExcised = 1000

// excise frees the tables of deleted records without the space that compaction would need first. It returns false if
// the disk failed.
func (s *Spool) excise() bool {
	for i, gap := range gaps(s.kept()) {
		if i == maxExcised {
			break
		}
		err := s.disk.Excise(context.Background(), pebble.KeyRange{Start: gap.from, End: gap.end})
		if failure := s.disk.Failure(); failure != nil {
			err = failure
		}
		if err != nil {
			s.breakDown(err)
			return false
		}
	}
	return true
}

// reopen opens the files for writing, or creates new ones if no record is left. If that fails, they stay open for
// reading.
func (s *Spool) reopen(empty bool) bool {
	if !empty && !s.folder().HasRoomToOpen() {
		return false
	}
	s.diskMu.Lock()
	defer s.diskMu.Unlock()
	err := s.openToWrite(empty)
	if err == nil {
		return true
	}
	s.cfg.Logger.Debug("the spool's disk still fails", "folder", s.cfg.Folder, "error", err)
	s.noteBroken(err)
	s.openReadOnly()
	return false
}

// openToWrite must be called with diskMu held, as must openReadOnly.
func (s *Spool) openToWrite(empty bool) error {
	s.closeDisk()
	s.folder().ReleaseReserve()
	if empty {
		if err := s.wipe(); err != nil {
			return err
		}
	}
	d, err := openDisk(s.folder(), s.lock)
	if err != nil {
		return err
	}
	if err := s.reconcile(d); err != nil {
		d.Close()
		return err
	}
	s.disk = d
	return nil
}

// openReadOnly opens the files for reading. If that fails too, the records stay on disk until repair succeeds.
func (s *Spool) openReadOnly() {
	s.closeDisk()
	d, err := openToRead(s.folder(), s.lock)
	if err != nil {
		s.cfg.Logger.Debug("the spool cannot read its disk either", "folder", s.cfg.Folder, "error", err)
		return
	}
	s.disk = d
}

// closeDisk closes the disk if it is open. It ignores the error, which is already known or comes from a read-only
// database. diskMu must be held.
func (s *Spool) closeDisk() {
	if s.disk != nil {
		s.disk.Close()
		s.disk = nil
	}
}

// reconcile deletes refused and removed records that may still be on disk, and writes client ids that may be missing.
// It deletes whole ranges between the queues, so that it writes little however many records there are.
func (s *Spool) reconcile(d *disk) error {
	batch := d.NewBatch()
	defer batch.Close()
	queues := s.kept()
	if err := batch.Set(formatKey, formatMark, nil); err != nil {
		return err
	}
	if err := batch.DeleteRange([]byte{clientPrefix}, []byte{clientPrefix + 1}, nil); err != nil {
		return err
	}
	for _, q := range queues {
		if err := batch.Set(clientKey(q.number), []byte(q.clientID), nil); err != nil {
			return err
		}
	}
	for _, gap := range gaps(queues) {
		if err := batch.DeleteRange(gap.from, gap.end, nil); err != nil {
			return err
		}
	}
	return d.Commit(batch, true)
}

// keyRange is the keys in [from, end).
type keyRange struct{ from, end []byte }

// gaps returns the ranges without records of a queue.
func gaps(queues []keptQueue) (list []keyRange) {
	from := place{}
	for _, q := range queues {
		if !q.empty {
			list = append(list, keyRange{from.key(), place{q.number, q.head}.key()})
			from = place{q.number, q.last + 1}
		}
	}
	return append(list, keyRange{from.key(), []byte{recordPrefix + 1}})
}

// keptQueue is the state of a queue that the disk must have.
type keptQueue struct {
	number     uint64
	clientID   string
	head, last uint64
	empty      bool
}

// kept returns the queues that have a number, sorted by it. Records removed from now on are deleted as usual.
func (s *Spool) kept() []keptQueue {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []keptQueue
	for _, q := range s.queues {
		if q.number != 0 {
			list = append(list, keptQueue{q.number, q.clientID, q.head, q.last, q.durable == 0})
		}
	}
	s.readOnly, s.removals, s.forgotten = false, nil, nil
	slices.SortFunc(list, func(a, b keptQueue) int { return cmp.Compare(a.number, b.number) })
	return list
}
