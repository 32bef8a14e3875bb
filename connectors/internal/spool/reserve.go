package spool

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Deleting takes space before it gives any: pebble writes what it deletes, and opening it writes its log into tables.
// So a file of no use is kept in the folder, and removed when the disk is full. Where it is too small for that,
// everything on disk is delivered first and the files begin anew.

const (
	reserveName  = "reserve"
	reserveBytes = (memtables + 1) * memtableSize // what pebble has in its log alone, and what it writes beside it
	openMargin   = 1 << 20                        // bytes that opening takes beside the log
)

var errNoRoom = errors.New("too little space is free")

func (s *Spool) reservePath() string { return s.fs.PathJoin(s.cfg.Folder, reserveName) }

// releaseReserve gives the disk the space of the reserve.
func (s *Spool) releaseReserve() {
	if err := s.fs.Remove(s.reservePath()); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		s.cfg.Logger.Debug("the spool cannot remove its reserve", "folder", s.cfg.Folder, "error", err)
	}
}

// makeReserve takes space for the reserve, unless the file system cannot promise any. It leaves at least as much for
// records. A small disk gives an eighth.
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

// hasRoomToOpen reports whether opening the files is worth a try: one that fails leaves the disk fuller than it was.
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
	need := min(logs, memtables*memtableSize) + openMargin // older logs are in tables already
	return need <= int64(usage.AvailBytes)+s.reserved(usage)
}

// reserved is how many bytes the reserve holds.
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

// wipe removes the files of a database in which no record is left. A crash meanwhile leaves files that pebble opens:
// without its log, or as a new one.
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

// removeFiles removes files before any that are removed later.
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
	return "look at the disk, and name another upstream.spool.folder if it is broken"
}
