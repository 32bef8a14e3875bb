package spool

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Deletion needs space before it frees any: pebble writes what it deletes, and when opened, writes its log into tables.
// So a file without contents is kept in the folder, and removed when the disk is full. If it is too small for that,
// everything on disk is delivered first, and then the files are created anew.

const (
	reserveName  = "reserve"
	reserveBytes = (memtables + 1) * memtableSize // pebble's log, and its other files
	openMargin   = 1 << 20                        // bytes that opening needs in addition to the log
)

var errNoRoom = errors.New("not enough free space")

func (s *Spool) reservePath() string { return s.fs.PathJoin(s.cfg.Folder, reserveName) }

// releaseReserve removes the reserve to free its space.
func (s *Spool) releaseReserve() {
	if err := s.fs.Remove(s.reservePath()); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		s.cfg.Logger.Debug("the spool cannot remove its reserve", "folder", s.cfg.Folder, "error", err)
	}
}

// makeReserve creates the reserve, if the file system can preallocate. It leaves at least as much space for records. On
// a small disk, the reserve is an eighth of it.
func (s *Spool) makeReserve() error {
	usage, err := s.fs.GetDiskUsage(s.cfg.Folder)
	if err != nil {
		return nil //nolint:nilerr // what cannot be measured cannot be kept
	}
	size := min(reserveBytes, usage.TotalBytes/8)
	if usage.AvailBytes < 2*size {
		return fmt.Errorf("%w: %d bytes", errNoRoom, usage.AvailBytes)
	}
	err = s.writeReserve(int64(size))
	if err != nil {
		s.releaseReserve()
	}
	if !isFull(err) {
		return nil
	}
	return err
}

func (s *Spool) writeReserve(size int64) error {
	f, err := s.fs.Create(s.reservePath(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return errors.Join(f.Preallocate(0, size), f.Sync(), f.Close())
}

// hasRoomToOpen reports whether opening the files may succeed: a failed attempt leaves less space than before.
func (s *Spool) hasRoomToOpen() bool {
	usage, err := s.fs.GetDiskUsage(s.cfg.Folder)
	names, listErr := s.fs.List(s.cfg.Folder)
	if err != nil || listErr != nil {
		return true
	}
	var logs int64
	for _, name := range names {
		if strings.HasSuffix(name, logSuffix) {
			logs += s.sizeOf(name)
		}
	}
	need := min(logs, memtables*memtableSize) + openMargin // older logs are already in tables
	return need <= int64(usage.AvailBytes)+s.reserved(usage)
}

// reserved returns the size of the reserve in bytes.
func (s *Spool) reserved(usage vfs.DiskUsage) int64 {
	if _, err := s.fs.Stat(s.reservePath()); err != nil {
		return 0
	}
	return int64(min(reserveBytes, usage.TotalBytes/8))
}

func (s *Spool) sizeOf(name string) int64 {
	info, err := s.fs.Stat(s.fs.PathJoin(s.cfg.Folder, name))
	if err != nil {
		return 0
	}
	return info.Size()
}

const (
	logSuffix    = ".log"
	markerPrefix = "marker."
	lockName     = "LOCK"
)

// wipe removes the files of a database without records. After a crash in between, pebble can open the remaining files,
// without the log or as a new database.
func (s *Spool) wipe() error {
	names, err := s.fs.List(s.cfg.Folder)
	if err != nil {
		return err
	}
	for _, remove := range []func(name string) bool{
		func(name string) bool { return strings.HasSuffix(name, logSuffix) },
		func(name string) bool { return strings.HasPrefix(name, markerPrefix) },
		func(name string) bool { return name != lockName },
	} {
		if err := s.removeFiles(names, remove); err != nil {
			return err
		}
	}
	return nil
}

// removeFiles removes the files that which selects, and syncs the folder.
func (s *Spool) removeFiles(names []string, which func(name string) bool) error {
	for _, name := range names {
		if !which(name) {
			continue
		}
		if err := s.fs.Remove(s.fs.PathJoin(s.cfg.Folder, name)); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return err
		}
	}
	dir, err := s.fs.OpenDir(s.cfg.Folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

const adviceFull = "free space on its disk or lower upstream.spool.max_bytes"

// advice says what to do about an error of the disk.
func advice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, errNoRoom):
		return adviceFull
	case errors.Is(err, syscall.EDQUOT):
		return "raise the quota of the account that runs the gateway or lower upstream.spool.max_bytes"
	case errors.Is(err, syscall.EROFS):
		return "make its file system writable"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "let the account that runs the gateway write to the folder"
	}
	return "check the disk, and choose another upstream.spool.folder if it is broken"
}
