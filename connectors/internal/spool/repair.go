package spool

import "github.com/cockroachdb/pebble/v2"

// breakDown has all appends refused with err until repair has succeeded. It says so once.
func (s *Spool) breakDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return
	}
	s.broken = &diskError{s.cfg.Folder, err}
	s.cfg.Metrics.failures.Inc()
	s.cfg.Logger.Error("the spool cannot write to its disk: publishes are refused until it can", "folder", s.cfg.Folder, "error", err)
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

// repair opens the files anew after a disk error, which leaves them as a crash would, and makes them what the queues say.
func (s *Spool) repair() {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken == nil {
		return
	}
	if err := s.reopen(); err != nil {
		s.cfg.Logger.Debug("the spool's disk still fails", "folder", s.cfg.Folder, "error", err)
		return
	}
	s.mu.Lock()
	s.broken, s.unread = nil, false
	s.mu.Unlock()
	s.cfg.Logger.Info("the spool can write to its disk again", "folder", s.cfg.Folder)
}

func (s *Spool) reopen() error {
	s.diskMu.Lock()
	defer s.diskMu.Unlock()
	if s.disk != nil {
		s.disk.close() // it halted: what it says is known
		s.disk = nil
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

// reconcile deletes the records that were refused or removed, which may be on disk all the same, and writes the client ids that may not.
func (s *Spool) reconcile(d *disk) error {
	batch := d.db.NewBatch()
	defer batch.Close()
	numbers := s.numbers()
	if err := d.each([]byte{clientPrefix}, []byte{clientPrefix + 1}, func(key, _ []byte) (bool, error) {
		number, err := parseClientKey(key)
		if err == nil && numbers[number] == nil {
			err = batch.Delete(key, nil)
		}
		return true, err
	}); err != nil {
		return err
	}
	if err := d.each([]byte{recordPrefix}, nil, func(key, _ []byte) (bool, error) {
		p, err := parseRecordKey(key)
		if err == nil && !s.has(numbers[p.number], p.sequence) {
			err = batch.Delete(key, nil)
		}
		return true, err
	}); err != nil {
		return err
	}
	return s.writeClients(d, batch, numbers)
}

func (s *Spool) writeClients(d *disk, batch *pebble.Batch, numbers map[uint64]*Queue) error {
	if err := batch.Set(formatKey, formatMark, nil); err != nil {
		return err
	}
	for number, q := range numbers {
		if err := batch.Set(clientKey(number), []byte(q.clientID), nil); err != nil {
			return err
		}
	}
	return d.commit(batch, true)
}

// numbers are the queues that may have something on disk.
func (s *Spool) numbers() map[uint64]*Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := map[uint64]*Queue{}
	for _, q := range s.queues {
		if q.number != 0 {
			numbers[q.number] = q
		}
	}
	return numbers
}

func (s *Spool) has(q *Queue, sequence uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return q != nil && q.durable > 0 && q.head <= sequence && sequence <= q.last
}
