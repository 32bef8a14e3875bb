package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/exgate/exgate/connectors/internal/database"
	"github.com/exgate/exgate/runtime/gateway"
)

const (
	// lockInterval is how often opening a locked folder is retried. During an upgrade, the old process releases it
	// within its shutdown_timeout.
	lockInterval = 200 * time.Millisecond
	// repairPause is the delay before reopening the files after a disk error, and between attempts.
	repairPause = 5 * time.Second
)

// Store keeps the state of devices in a folder. Its methods are safe for concurrent use.
type Store struct {
	cfg         Config
	folder      database.Folder
	repairPause time.Duration
	wake        chan struct{} // capacity 1: there is something to commit
	quit        chan struct{} // closed by Close
	opened      chan struct{} // closed once the folder is open, or cannot be
	ended       chan struct{} // closed when the committer has ended

	// Owned by the committer.
	lock   *pebble.Lock
	totals totals

	mu      sync.Mutex
	closing bool              // guarded by mu
	fatal   error             // the folder cannot be opened; guarded by mu
	next    map[string]*entry // values that wait; guarded by mu
	writing map[string]*entry // values of the commit in progress; guarded by mu
	order   []*entry          // of next; guarded by mu
	waiting int64             // bytes of next and writing; guarded by mu
	broken  error             // the disk failed and has not been reopened; guarded by mu

	diskMu sync.RWMutex // read-locked by other readers of the disk than the committer
	disk   *database.DB // guarded by diskMu; replaced only by the committer; nil while not open
}

var _ gateway.StateStore = (*Store)(nil)

// Open opens the folder, and creates it if missing. If another process has it open, as during an upgrade, Open returns
// at once, and devices wait for it when they log in.
func Open(cfg Config) (*Store, error) { return open(cfg, vfs.Default, repairPause) }

func open(cfg Config, fs vfs.FS, pause time.Duration) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, folder: database.Folder{Path: cfg.Folder, FS: fs, Logger: cfg.Logger}, repairPause: pause,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), opened: make(chan struct{}),
		ended: make(chan struct{}), next: map[string]*entry{},
	}
	err := s.openFolder()
	if err != nil && !errors.Is(err, database.ErrLocked) {
		return nil, s.named(err)
	}
	go s.run(err == nil)
	return s, nil
}

func (s *Store) named(err error) error {
	return fmt.Errorf("upstream.state_folder %s: %w", s.cfg.Folder, err)
}

func (s *Store) openFolder() (err error) {
	if err := s.folder.Make(); err != nil {
		return fmt.Errorf("creating it: %w", err)
	}
	if s.lock, err = s.folder.Lock(); err != nil {
		return err
	}
	if err = s.openFiles(); err != nil {
		return errors.Join(err, s.lock.Close())
	}
	return nil
}

// await opens the folder as soon as no other process has it open. It reports false if the store is closed first, or if
// the folder cannot be opened.
func (s *Store) await() bool {
	s.cfg.Logger.Warn("another process has the state of devices open; devices cannot log in until it has ended",
		"folder", s.cfg.Folder)
	for {
		select {
		case <-time.After(lockInterval):
		case <-s.quit:
			return false
		}
		err := s.openFolder()
		if err == nil {
			return true
		}
		if !errors.Is(err, database.ErrLocked) {
			s.cfg.Logger.Error("devices that keep state cannot log in", "error", s.named(err))
			s.mu.Lock()
			s.fatal = err
			s.mu.Unlock()
			return false
		}
	}
}

// run is the committer.
func (s *Store) run(open bool) {
	defer close(s.ended)
	open = open || s.await()
	close(s.opened)
	if !open {
		<-s.quit
		s.refuseAll()
		return
	}
	repair := time.NewTicker(s.repairPause)
	defer repair.Stop()
	for {
		select {
		case <-s.wake:
		case <-repair.C:
			s.repair()
		case <-s.quit:
			s.repair()
			s.commitAll()
			return
		}
		s.commitAll()
	}
}

// Close writes the waiting values and closes the files. Later saves are refused. It may be called again.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	s.mu.Unlock()
	if first {
		close(s.quit)
	}
	select {
	case <-s.ended:
	case <-ctx.Done():
		return fmt.Errorf("writing the state of devices: %w", ctx.Err())
	}
	if !first {
		return nil
	}
	s.diskMu.Lock()
	defer s.diskMu.Unlock()
	err := s.broken
	if s.disk != nil {
		err = errors.Join(err, s.disk.Close())
		s.disk = nil
	}
	if s.lock != nil && s.fatal == nil {
		err = errors.Join(err, s.lock.Close())
	}
	if err != nil {
		return s.named(err)
	}
	return nil
}

// MaxBytes implements [gateway.StateStore].
func (s *Store) MaxBytes() int { return s.cfg.ValueBytes }

// Open implements [gateway.StateStore].
func (s *Store) Open(ctx context.Context, key gateway.StateKey) (gateway.OwnedState, []byte, error) {
	select {
	case <-s.opened:
	case <-ctx.Done():
		return nil, nil, refuse("another process has the state of devices open (upstream.state_folder)")
	}
	k := keyOf(key)
	value, err := s.load(k)
	if err != nil {
		s.cfg.Logger.Error("cannot read the state of a device", "folder", s.cfg.Folder, "error", err)
		return nil, nil, refuse("the state of the device cannot be read")
	}
	return owned{s, k}, value, nil
}

func refuse(format string, args ...any) error {
	return &gateway.ResultError{Result: gateway.Refuse(gateway.CodeUnknown, format, args...)}
}

// owned is the state of one device. The gateway closes it before another one with the same key is opened.
type owned struct {
	store *Store
	key   string
}

func (o owned) Save(value []byte, done gateway.Done) { o.store.save(o.key, value, done) }
func (owned) Close()                                 {}

// load returns the value that waits, or the one on disk.
func (s *Store) load(key string) ([]byte, error) {
	s.mu.Lock()
	e := s.next[key]
	if e == nil {
		e = s.writing[key]
	}
	fatal := s.fatal
	s.mu.Unlock()
	if fatal != nil {
		return nil, fatal
	}
	if e != nil {
		return e.value, nil
	}
	s.diskMu.RLock()
	defer s.diskMu.RUnlock()
	if s.disk == nil {
		return nil, errors.New("the disk cannot be read")
	}
	return get(s.disk, key)
}

// get returns a copy of the value of key, nil without one.
func get(db *database.DB, key string) ([]byte, error) {
	value, closer, err := db.Get([]byte(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), value...), closer.Close()
}
