package database

import (
	"errors"
	"io"
	iofs "io/fs"
	"os"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// haltFS stops at the first failing write, as if the process had been killed at that moment: this write and all later
// ones change nothing, but seem to succeed. Otherwise pebble panics if it cannot write its log, and retries other
// writes without a pause. With haltFS it can be closed normally, and leaves the files as after a crash, which it can
// recover from.
type haltFS struct {
	vfs.FS
	failure atomic.Pointer[error]
}

// err returns the failure, if any.
func (h *haltFS) err() error {
	if err := h.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (h *haltFS) halt(err error) { h.failure.CompareAndSwap(nil, &err) }

// try runs a write. A missing file is not a failure of the disk.
func (h *haltFS) try(write func() error) error {
	if h.err() != nil {
		return nil
	}
	err := write()
	if err == nil || errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	h.halt(err)
	return nil
}

func (h *haltFS) open(open func() (vfs.File, error)) (f vfs.File, err error) {
	err = h.try(func() (err error) {
		f, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	if h.err() != nil && f == nil {
		return lostFile{}, nil
	}
	return &haltFile{File: f, fs: h}, nil
}

// Create implements [vfs.FS], as do the other methods.
func (h *haltFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return h.open(func() (vfs.File, error) { return h.FS.Create(name, category) })
}

func (h *haltFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return h.open(func() (vfs.File, error) { return h.FS.OpenReadWrite(name, category, opts...) })
}

func (h *haltFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return h.open(func() (vfs.File, error) { return h.FS.ReuseForWrite(oldname, newname, category) })
}

func (h *haltFS) OpenDir(name string) (vfs.File, error) {
	return h.open(func() (vfs.File, error) { return h.FS.OpenDir(name) })
}

func (h *haltFS) Link(oldname, newname string) error {
	return h.try(func() error { return h.FS.Link(oldname, newname) })
}

func (h *haltFS) Rename(oldname, newname string) error {
	return h.try(func() error { return h.FS.Rename(oldname, newname) })
}

func (h *haltFS) Remove(name string) error { return h.try(func() error { return h.FS.Remove(name) }) }

func (h *haltFS) RemoveAll(name string) error {
	return h.try(func() error { return h.FS.RemoveAll(name) })
}

func (h *haltFS) MkdirAll(dir string, perm os.FileMode) error {
	return h.try(func() error { return h.FS.MkdirAll(dir, perm) })
}

func (h *haltFS) Unwrap() vfs.FS { return h.FS }

// haltFile is a file open for writing.
type haltFile struct {
	vfs.File
	fs *haltFS
}

func (f *haltFile) Write(b []byte) (int, error) {
	return len(b), f.fs.try(func() error {
		_, err := f.File.Write(b)
		return err
	})
}

func (f *haltFile) WriteAt(b []byte, off int64) (int, error) {
	return len(b), f.fs.try(func() error {
		_, err := f.File.WriteAt(b, off)
		return err
	})
}

func (f *haltFile) Sync() error     { return f.fs.try(f.File.Sync) }
func (f *haltFile) SyncData() error { return f.fs.try(f.File.SyncData) }

func (f *haltFile) SyncTo(length int64) (full bool, err error) {
	err = f.fs.try(func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

func (f *haltFile) Close() error {
	if err := f.File.Close(); err != nil {
		f.fs.halt(err)
	}
	return nil
}

// lostFile replaces a file created after the halt: it accepts writes and is empty.
type lostFile struct{}

func (lostFile) Close() error                           { return nil }
func (lostFile) Read([]byte) (int, error)               { return 0, io.EOF }
func (lostFile) ReadAt([]byte, int64) (int, error)      { return 0, io.EOF }
func (lostFile) Write(b []byte) (int, error)            { return len(b), nil }
func (lostFile) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }
func (lostFile) Preallocate(_, _ int64) error           { return nil }
func (lostFile) Stat() (vfs.FileInfo, error)            { return nil, iofs.ErrNotExist }
func (lostFile) Sync() error                            { return nil }
func (lostFile) SyncTo(int64) (bool, error)             { return true, nil }
func (lostFile) SyncData() error                        { return nil }
func (lostFile) Prefetch(_, _ int64) error              { return nil }
func (lostFile) Fd() uintptr                            { return vfs.InvalidFd }
