package database

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Deletion needs space before it frees any: pebble writes what it deletes, and when opened, writes its log into tables.
// So a file without contents is kept in the folder, and removed when the disk is full.

const (
	reserveName  = "reserve"
	reserveBytes = (memtables + 1) * memtableSize // pebble's log, and its other files
	openMargin   = 1 << 20                        // bytes that opening needs in addition to the log
)

// ErrNoRoom is returned by [Folder.MakeReserve] if the disk is too full.
var ErrNoRoom = errors.New("not enough free space")

func (f Folder) reservePath() string { return f.FS.PathJoin(f.Path, reserveName) }

// ReleaseReserve removes the reserve to free its space.
func (f Folder) ReleaseReserve() {
	if err := f.FS.Remove(f.reservePath()); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		f.Logger.Debug("cannot remove the reserve", "folder", f.Path, "error", err)
	}
}

// MakeReserve creates the reserve, if the file system can preallocate. It leaves at least as much space for records. On
// a small disk, the reserve is an eighth of it.
func (f Folder) MakeReserve() error {
	usage, err := f.FS.GetDiskUsage(f.Path)
	if err != nil {
		return nil //nolint:nilerr // what cannot be measured cannot be kept
	}
	size := min(reserveBytes, usage.TotalBytes/8)
	if usage.AvailBytes < 2*size {
		return fmt.Errorf("%w: %d bytes", ErrNoRoom, usage.AvailBytes)
	}
	err = f.writeReserve(int64(size))
	if err != nil {
		f.ReleaseReserve()
	}
	if !IsFull(err) {
		return nil
	}
	return err
}

func (f Folder) writeReserve(size int64) error {
	file, err := f.FS.Create(f.reservePath(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return errors.Join(file.Preallocate(0, size), file.Sync(), file.Close())
}

// HasRoomToOpen reports whether opening the files may succeed: a failed attempt leaves less space than before.
func (f Folder) HasRoomToOpen() bool {
	usage, err := f.FS.GetDiskUsage(f.Path)
	names, listErr := f.FS.List(f.Path)
	if err != nil || listErr != nil {
		return true
	}
	var logs int64
	for _, name := range names {
		if strings.HasSuffix(name, LogSuffix) {
			logs += f.sizeOf(name)
		}
	}
	need := min(logs, memtables*memtableSize) + openMargin // older logs are already in tables
	return need <= int64(usage.AvailBytes)+f.reserved(usage)
}

// reserved returns the size of the reserve in bytes.
func (f Folder) reserved(usage vfs.DiskUsage) int64 {
	if _, err := f.FS.Stat(f.reservePath()); err != nil {
		return 0
	}
	return int64(min(reserveBytes, usage.TotalBytes/8))
}

func (f Folder) sizeOf(name string) int64 {
	info, err := f.FS.Stat(f.FS.PathJoin(f.Path, name))
	if err != nil {
		return 0
	}
	return info.Size()
}

// LogSuffix is the end of the names of pebble's logs.
const LogSuffix = ".log"

// IsFull reports whether err says that the disk, or its quota, is full.
func IsFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
