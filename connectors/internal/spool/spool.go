package spool

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Why a Spool does not open or an append fails; compare with errors.Is. Any other error of an append is the disk's.
var (
	ErrLocked = errors.New("another process, or another spool of this one, has the folder open")
	ErrFull   = errors.New("the spool is full")
	ErrClosed = errors.New("the spool is closed")
)

// repairPause is how long after a disk error, and between tries, the files are opened anew.
const repairPause = 5 * time.Second

// Spool is the queues of all devices. Its methods are safe for concurrent use.
type Spool struct {
	cfg    Config
	fs     vfs.FS
	lock   *pebble.Lock
	wake   chan struct{} // one place: there is something to commit
	empty  chan struct{} // one place: what a broken disk had has been delivered
	closed chan struct{} // closed by Close
	ended  chan struct{} // closed when the committer has ended

	// Owned by the committer.
	nextNumber  uint64
	repairPause time.Duration

	mu        sync.Mutex
	closing   bool              // guarded by mu
	queues    map[string]*Queue // guarded by mu; by client id
	holding   largest           // guarded by mu; the queues with records on disk
	bytes     int64             // guarded by mu; of all records, on disk and waiting
	waiting   int64             // guarded by mu; of the records that wait to be written
	appends   []*waiting        // guarded by mu
	removals  []place           // guarded by mu; what is to be deleted from the disk
	forgotten []uint64          // guarded by mu; numbers of queues that are no more
	broken    error             // guarded by mu; the disk failed and was not opened anew yet
	// guarded by mu; nothing can be written: what leaves a queue is deleted when that is over
	readOnly bool
	unread   bool // guarded by mu; it was said that the disk cannot be read

	diskMu sync.RWMutex // held for reading by whoever reads the disk beside the committer
	disk   *disk        // guarded by diskMu; replaced by the committer alone; nil while it is not open
}

// Open opens the folder, and makes it where it is missing. What an earlier process left there is in [Spool.Left].
// Errors name the setting upstream.spool.folder; [ErrLocked] is one of them.
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
	if err := makeFolder(s.cfg.Folder, s.fs); err != nil {
		return fmt.Errorf("making it: %w", err)
	}
	if s.lock, err = lockFolder(s.cfg.Folder, s.fs); err != nil {
		return err
	}
	if err = s.openFiles(); err == nil {
		return nil
	}
	return errors.Join(err, s.lock.Close())
}

// openFiles opens what an earlier process left, or makes a database. Where nothing can be written, it opens what is
// there to be read and delivered.
func (s *Spool) openFiles() error {
	s.releaseReserve()
	d, err := openDisk(s.cfg, s.fs, s.lock)
	failure := (*writeError)(nil)
	if errors.As(err, &failure) {
		return s.openFull(err)
	}
	if err != nil {
		return err
	}
	s.disk = d
	if err := s.load(); err != nil {
		d.close()
		return err
	}
	if err := s.makeReserve(); err != nil {
		s.cfg.Logger.Warn("there is no room for the reserve of the spool; "+adviceFull, "folder", s.cfg.Folder, "error",
			err)
	}
	return nil
}

// openFull opens files to which nothing can be written because of cause. Where there are none to read, it returns
// cause.
func (s *Spool) openFull(cause error) error {
	d, err := openToRead(s.cfg, s.fs, s.lock)
	if err != nil {
		return cause
	}
	s.disk = d
	if err := s.load(); err != nil {
		d.close()
		return errors.Join(cause, err)
	}
	s.noteBroken(cause)
	return nil
}

// makeFolder makes a folder and those above it, and syncs what it made: pebble sees to the last one alone.
func makeFolder(folder string, fs vfs.FS) error {
	parent := fs.PathDir(folder)
	if _, err := fs.Stat(folder); err == nil || parent == folder {
		return fs.MkdirAll(folder, 0o700)
	}
	if err := makeFolder(parent, fs); err != nil {
		return err
	}
	if err := fs.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	dir, err := fs.OpenDir(parent)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// lockFolder tells a folder that is in use from one that cannot be written to.
func lockFolder(folder string, fs vfs.FS) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(folder, fs)
	if pathErr := (*os.PathError)(nil); err != nil && !errors.As(err, &pathErr) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("locking it: %w", err)
	}
	return lock, nil
}

// Queue returns the queue of a client id, which is the same one while it has records or users, and counts a user of it
// until [Queue.Release].
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

// Left returns the client ids that have records: right after Open those that an earlier process left.
func (s *Spool) Left() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.holding))
	for _, q := range s.holding {
		ids = append(ids, q.clientID)
	}
	return ids
}

// Close commits what waits, and closes the files. Later appends fail with [ErrClosed]. It may be called again.
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
		err = errors.Join(err, s.disk.close())
		s.disk = nil
	}
	if err = errors.Join(err, s.lock.Close()); err != nil {
		return fmt.Errorf("closing upstream.spool.folder %s: %w", s.cfg.Folder, err)
	}
	return nil
}

// uncount takes what is held from the gauges.
func (s *Spool) uncount() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.holding {
		s.cfg.Metrics.records.Sub(float64(q.durable))
	}
	s.cfg.Metrics.bytes.Sub(float64(s.bytes))
	s.cfg.Metrics.devices.Sub(float64(len(s.holding)))
}
