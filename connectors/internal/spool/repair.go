package spool

import (
	"cmp"
	"context"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// breakDown has all appends refused until repair has succeeded, and opens the files to be read alone: what was
// acknowledged is delivered meanwhile. Only the committer calls it.
func (s *Spool) breakDown(err error) {
	s.noteBroken(err)
	s.diskMu.Lock()
	defer s.diskMu.Unlock()
	s.openReadOnly()
}

// noteBroken says once that the disk cannot be written to.
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
		"the spool cannot write to its disk: new publishes are refused until it can, those on disk are delivered",
		"folder", s.cfg.Folder, "error", err, "advice", advice(err))
}

// diskError is what the disk said to an append.
type diskError struct {
	folder string
	err    error
}

func (e *diskError) Error() string {
	return "writing to upstream.spool.folder " + e.folder + ": " + e.err.Error()
}
func (e *diskError) Unwrap() error { return e.err }

// repair makes the disk writable again after an error. It opens the files anew, as after a crash, makes them what the
// queues say, and takes appends when there is room for the reserve.
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
	err := s.makeReserve()
	if err != nil && s.excise() {
		err = s.makeReserve()
	}
	if err != nil {
		s.cfg.Logger.Debug("the spool has no room for its reserve yet", "folder", s.cfg.Folder, "error", err)
		return
	}
	s.mu.Lock()
	s.broken, s.unread = nil, false
	s.mu.Unlock()
	s.cfg.Logger.Info("the spool can write to its disk again", "folder", s.cfg.Folder)
}

// maxExcised bounds the ranges of one call of excise: each is a write to the disk.
const maxExcised = 1000

// excise gives back the tables of deleted records, without the space that compacting them would take first. It reports
// false where the disk failed meanwhile.
func (s *Spool) excise() bool {
	for i, gap := range gaps(s.kept()) {
		if i == maxExcised {
			break
		}
		err := s.disk.db.Excise(context.Background(), pebble.KeyRange{Start: gap.from, End: gap.end})
		if failure := s.disk.fs.err(); failure != nil {
			err = failure
		}
		if err != nil {
			s.breakDown(err)
			return false
		}
	}
	return true
}

// reopen opens the files for writing, new ones where no record is left. If that fails, they can be read as before.
func (s *Spool) reopen(empty bool) bool {
	if !empty && !s.hasRoomToOpen() {
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

// openToWrite needs diskMu, as openReadOnly does.
func (s *Spool) openToWrite(empty bool) error {
	s.closeDisk()
	s.releaseReserve()
	if empty {
		if err := s.wipe(); err != nil {
			return err
		}
	}
	d, err := openDisk(s.cfg, s.fs, s.lock)
	if err != nil {
		return err
	}
	if err := s.reconcile(d); err != nil {
		d.close()
		return err
	}
	s.disk = d
	return nil
}

// openReadOnly opens the files to be read. Where that fails too, what they hold waits for repair.
func (s *Spool) openReadOnly() {
	s.closeDisk()
	d, err := openToRead(s.cfg, s.fs, s.lock)
	if err != nil {
		s.cfg.Logger.Debug("the spool cannot read its disk either", "folder", s.cfg.Folder, "error", err)
		return
	}
	s.disk = d
}

// closeDisk closes what is open. Its error is known, or that of a database that is only read. It needs diskMu.
func (s *Spool) closeDisk() {
	if s.disk != nil {
		s.disk.close()
		s.disk = nil
	}
}

// reconcile deletes the records that were refused or removed, which may be on disk all the same, and writes the client
// ids that may not. It deletes what is between the queues, in a few bytes however many records that are.
func (s *Spool) reconcile(d *disk) error {
	batch := d.db.NewBatch()
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
	return d.commit(batch, true)
}

// keyRange is the keys from from until one before end.
type keyRange struct{ from, end []byte }

// gaps are the ranges in which no queue has a record.
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

// keptQueue is what the disk is to have of a queue.
type keptQueue struct {
	number     uint64
	clientID   string
	head, last uint64
	empty      bool
}

// kept lists the queues that have a number, by it. What leaves them from now on is deleted as usual.
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
