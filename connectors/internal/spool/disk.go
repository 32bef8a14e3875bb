package spool

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Memory limits of pebble: two memtables of at most this size, and a cache.
const (
	memtables    = 2
	memtableSize = 4 << 20
	cacheSize    = 4 << 20
	maxOpenFiles = 128
)

// disk is the database in the folder.
type disk struct {
	db *pebble.DB
	fs *haltFS
}

// openDisk returns an error if the files are damaged, even where pebble panics.
func openDisk(cfg Config, fs vfs.FS, lock *pebble.Lock) (*disk, error) {
	return openOptions(cfg, fs, lock, false)
}

// openToRead opens the database without writing anything, so that it works on a full disk.
func openToRead(cfg Config, fs vfs.FS, lock *pebble.Lock) (*disk, error) {
	return openOptions(cfg, fs, lock, true)
}

func openOptions(cfg Config, fs vfs.FS, lock *pebble.Lock, readOnly bool) (d *disk, err error) {
	halting := &haltFS{FS: fs}
	defer func() {
		if r := recover(); r != nil {
			d, err = nil, fmt.Errorf("the files are damaged: %v; move the folder away to start with an empty one", r)
		}
	}()
	o := options(halting, lock, cfg.Logger)
	o.ReadOnly = readOnly
	db, err := pebble.Open(cfg.Folder, o)
	if err == nil {
		d = &disk{db: db, fs: halting}
	}
	if failure := halting.err(); failure != nil {
		if d != nil {
			d.close()
		}
		return nil, &writeError{failure}
	}
	if err != nil {
		return nil, fmt.Errorf(
			"the files are damaged or of another program: %w; move the folder away to start with an empty one", err)
	}
	return d, nil
}

// writeError says that the files could not be opened because a write failed.
type writeError struct{ err error }

func (e *writeError) Error() string { return "a write failed: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

func options(fs vfs.FS, lock *pebble.Lock, logger *slog.Logger) *pebble.Options {
	o := &pebble.Options{
		FS: fs, Lock: lock, Logger: debugLogger{logger},
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                memtableSize,
		MemTableStopWritesThreshold: memtables,
		CacheSize:                   cacheSize,
		MaxOpenFiles:                maxOpenFiles,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { debugLogger{logger}.Errorf("background error: %v", err) },
			DataCorruption:  func(info pebble.DataCorruptionInfo) { debugLogger{logger}.Errorf("%v", info) },
		},
	}
	o.Experimental.FileCacheShards = 1
	return o
}

// commit writes batch, and syncs it if sync is set.
func (d *disk) commit(batch *pebble.Batch, sync bool) error {
	if err := d.fs.err(); err != nil {
		return err
	}
	if err := d.db.Apply(batch, &pebble.WriteOptions{Sync: sync}); err != nil {
		return err
	}
	return d.fs.err()
}

func (d *disk) close() error {
	err := d.db.Close()
	if failure := d.fs.err(); failure != nil {
		return failure
	}
	return err
}

// each calls visit for the keys in [from, end) and their values, until visit returns false or an error.
func (d *disk) each(from, end []byte, visit func(key, value []byte) (bool, error)) (err error) {
	it, err := d.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if more, err := visit(it.Key(), value); err != nil || !more {
			return err
		}
	}
	return it.Error()
}

// eachRecord visits the records of one queue in order, starting at from.
func (d *disk) eachRecord(from place, visit func(at place, value []byte) bool) error {
	end := place{number: from.number + 1}
	return d.each(from.key(), end.key(), func(key, value []byte) (bool, error) {
		at, err := parseRecordKey(key)
		if err != nil {
			return false, err
		}
		return visit(at, value), nil
	})
}

// debugLogger is pebble's logger. It does not exit on what pebble calls fatal: a failed write has halted the [haltFS]
// by then.
type debugLogger struct{ logger *slog.Logger }

// Infof implements [pebble.Logger], as do the other methods.
func (l debugLogger) Infof(format string, args ...any)  { l.log(format, args) }
func (l debugLogger) Errorf(format string, args ...any) { l.log(format, args) }
func (l debugLogger) Fatalf(format string, args ...any) { l.log(format, args) }

func (l debugLogger) log(format string, args []any) {
	l.logger.Debug("message from the spool's database", "text", fmt.Sprintf(format, args...))
}
