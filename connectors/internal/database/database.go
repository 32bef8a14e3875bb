package database

import (
	"bytes"
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

// DB is an open database.
type DB struct {
	*pebble.DB
	fs *haltFS
}

// Open opens or creates the database in the folder, which lock has locked. It returns an error if the files are
// damaged, even where pebble panics, and a [*WriteError] if a write failed. With readOnly it writes nothing, so that it
// works on a full disk.
func Open(f Folder, lock *pebble.Lock, readOnly bool) (d *DB, err error) {
	halting := &haltFS{FS: f.FS}
	defer func() {
		if r := recover(); r != nil {
			d, err = nil, fmt.Errorf("the files are damaged: %v; move the folder away to start with an empty one", r)
		}
	}()
	o := Options(halting, lock, f.Logger)
	o.ReadOnly = readOnly
	db, err := pebble.Open(f.Path, o)
	if err == nil {
		d = &DB{db, halting}
	}
	if failure := halting.err(); failure != nil {
		if d != nil {
			_ = d.Close()
		}
		return nil, &WriteError{failure}
	}
	if err != nil {
		return nil, fmt.Errorf(
			"the files are damaged or of another program: %w; move the folder away to start with an empty one", err)
	}
	return d, nil
}

// WriteError says that the files could not be opened because a write failed.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return "a write failed: " + e.Err.Error() }
func (e *WriteError) Unwrap() error { return e.Err }

// Options returns pebble's options for a database with little memory.
func Options(fs vfs.FS, lock *pebble.Lock, logger *slog.Logger) *pebble.Options {
	o := &pebble.Options{
		FS: fs, Lock: lock, Logger: DebugLogger{logger},
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                memtableSize,
		MemTableStopWritesThreshold: memtables,
		CacheSize:                   cacheSize,
		MaxOpenFiles:                maxOpenFiles,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { DebugLogger{logger}.Errorf("background error: %v", err) },
			DataCorruption:  func(info pebble.DataCorruptionInfo) { DebugLogger{logger}.Errorf("%v", info) },
		},
	}
	o.Experimental.FileCacheShards = 1
	return o
}

// Failure returns the error of the write that halted the database, if any.
func (d *DB) Failure() error { return d.fs.err() }

// Commit writes batch, and syncs it if sync is set.
func (d *DB) Commit(batch *pebble.Batch, sync bool) error {
	if err := d.fs.err(); err != nil {
		return err
	}
	if err := d.Apply(batch, &pebble.WriteOptions{Sync: sync}); err != nil {
		return err
	}
	return d.fs.err()
}

// Close closes the database.
func (d *DB) Close() error {
	err := d.DB.Close()
	if failure := d.fs.err(); failure != nil {
		return failure
	}
	return err
}

// Each calls visit for the keys in [from, end) and their values, until visit returns false or an error.
func (d *DB) Each(from, end []byte, visit func(key, value []byte) (bool, error)) (err error) {
	it, err := d.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
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

// Sign writes mark, the format of the contents, under key into a new database, or checks it in an existing one. It
// returns foreign for the database of another program.
func (d *DB) Sign(key, mark []byte, foreign error) error {
	found, closer, err := d.Get(key)
	if err == nil {
		defer closer.Close()
		if !bytes.Equal(found, mark) {
			return fmt.Errorf("unknown format %.40q; this gateway reads %q", found, mark)
		}
		return nil
	}
	if !errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("reading the format: %w", err)
	}
	if err := d.Each(nil, nil, func([]byte, []byte) (bool, error) { return false, foreign }); err != nil {
		return err
	}
	batch := d.NewBatch()
	defer batch.Close()
	if err := batch.Set(key, mark, nil); err != nil {
		return err
	}
	if err := d.Commit(batch, true); err != nil {
		return fmt.Errorf("writing the format: %w", err)
	}
	return nil
}

// DebugLogger is pebble's logger. It does not exit on what pebble calls fatal: a failed write has halted the database
// by then.
type DebugLogger struct{ Logger *slog.Logger }

// Infof implements [pebble.Logger], as do the other methods.
func (l DebugLogger) Infof(format string, args ...any)  { l.log(format, args) }
func (l DebugLogger) Errorf(format string, args ...any) { l.log(format, args) }
func (l DebugLogger) Fatalf(format string, args ...any) { l.log(format, args) }

func (l DebugLogger) log(format string, args []any) {
	l.Logger.Debug("message from the database", "text", fmt.Sprintf(format, args...))
}
