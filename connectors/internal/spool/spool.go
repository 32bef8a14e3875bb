package spool

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/exgate/exgate/connectors/internal/database"
)

// Errors of Open and of appends; compare with errors.Is. All other errors of an append come from the disk.
var (
	ErrLocked = database.ErrLocked
	ErrFull   = errors.New("the spool is full")
	ErrClosed = errors.New("the spool is closed")
)

// repairPause is the delay before reopening the files after a disk error, and between attempts.
const repairPause = 5 * time.Second

// Spool holds the queues of all devices. Its methods are safe for concurrent use.
type Spool struct {
	cfg    Config
	fs     vfs.FS
	lock   *pebble.Lock
	wake   chan struct{} // capacity 1: there is something to commit
	empty  chan struct{} // capacity 1: all records on a failed disk have been delivered
	closed chan struct{} // closed by Close
	ended  chan struct{} // closed when the committer has ended

	// Owned by the committer.
	nextNumber  uint64
	repairPause time.Duration

	mu        sync.Mutex
	closing   bool              // guarded by mu
	queues    map[string]*Queue // by client id; guarded by mu
	holding   largest           // queues with records on disk; guarded by mu
	bytes     int64             // size of all records, on disk and waiting; guarded by mu
	waiting   int64             // size of the records waiting to be written; guarded by mu
	appends   []*waiting        // guarded by mu
	removals  []place           // records to be deleted from the disk; guarded by mu
	forgotten []uint64          // numbers of queues to be deleted from the disk; guarded by mu
	broken    error             // the disk failed and has not been reopened; guarded by mu
	// The disk cannot be written to; removed records are deleted once it can. Guarded by mu.
	readOnly bool
	unread   bool // a read error has been logged; guarded by mu

	diskMu sync.RWMutex // read-locked by other readers of the disk than the committer
	disk   *disk        // guarded by diskMu; replaced only by the committer; nil while not open
}

// Open opens the folder, and creates it if missing. [Spool.Left] returns the client ids of records left there by an
// earlier process. Errors name the setting upstream.spool.folder; [ErrLocked] is one of them.
func Open(cfg Config) (*Spool, error) { return open(cfg, vfs.Default, repairPause) }

func open(cfg Config, fs vfs.FS, pause time.Duration) (*Spool, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Spool{
		cfg: cfg, fs: fs, repairPause: pause, queues: map[string]*Queue{}, nextNumber: 1,
		wake: make(chan struct{}, 1), empty: make(chan struct{}, 1), closed: make(chan struct{}),
		ended: make(chan struct{}),
	}
	if err := s.openFolder(); err != nil {
		return nil, fmt.Errorf("upstream.spool.folder %s: %w", cfg.Folder, err)
	}
	go s.run()
	return s, nil
}

func (s *Spool) openFolder() (err error) {
	if err := s.folder().Make(); err != nil {
		return fmt.Errorf("creating it: %w", err)
	}
	if s.lock, err = s.folder().Lock(); err != nil {
		return err
	}
	if err = s.openFiles(); err == nil {
		return nil
	}
	return errors.Join(err, s.lock.Close())
}

// openFiles opens existing files, or creates a database. If the disk cannot be written to, it opens existing files
// read-only to deliver them.
func (s *Spool) openFiles() error {
	s.folder().ReleaseReserve()
	d, err := openDisk(s.folder(), s.lock)
	failure := (*database.WriteError)(nil)
	if errors.As(err, &failure) {
		return s.openFull(err)
	}
	if err != nil {
		return err
	}
	s.disk = d
	if err := s.load(); err != nil {
		d.Close()
		return err
	}
	if err := s.folder().MakeReserve(); err != nil {
		s.cfg.Logger.Warn("not enough space for the spool's reserve; "+adviceFull,
			"folder", s.cfg.Folder, "error", err)
	}
	return nil
}

// openFull opens files that cannot be written to because of cause. It returns cause if there is nothing to read.
func (s *Spool) openFull(cause error) error {
	d, err := openToRead(s.folder(), s.lock)
	if err != nil {
		return cause
	}
	s.disk = d
	if err := s.load(); err != nil {
		d.Close()
		return errors.Join(cause, err)
	}
	s.noteBroken(cause)
	return nil
}

// folder is the folder of the files.
func (s *Spool) folder() database.Folder {
	return database.Folder{Path: s.cfg.Folder, FS: s.fs, Logger: s.cfg.Logger}
}

// Queue returns the queue of a client id and counts a user until [Queue.Release]. It returns the same queue while that
// has records or users.
func (s *Spool) Queue(clientID string) *Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[clientID]
	if q == nil {
		q = s.newQueue(clientID)
	}
	q.users++
	return q
}

// Left returns the client ids that have records; right after Open, those left by an earlier process.
func (s *Spool) Left() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.holding))
	for _, q := range s.holding {
		ids = append(ids, q.clientID)
	}
	return ids
}

// Close commits the waiting records and closes the files. Later appends fail with [ErrClosed]. It may be called again.
func (s *Spool) Close() error {
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	s.mu.Unlock()
	if !first {
		<-s.ended
		return nil
	}
	close(s.closed)
	<-s.ended
	s.uncount()
	s.diskMu.Lock()
	defer s.diskMu.Unlock()
	err := s.broken
	if s.disk != nil {
		err = errors.Join(err, s.disk.Close())
		s.disk = nil
	}
	if err = errors.Join(err, s.lock.Close()); err != nil {
		return fmt.Errorf("closing upstream.spool.folder %s: %w", s.cfg.Folder, err)
	}
	return nil
}

// uncount subtracts the remaining records from the gauges.
func (s *Spool) uncount() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.holding {
		s.cfg.Metrics.records.Sub(float64(q.durable))
	}
	s.cfg.Metrics.bytes.Sub(float64(s.bytes))
	s.cfg.Metrics.devices.Sub(float64(len(s.holding)))
}
