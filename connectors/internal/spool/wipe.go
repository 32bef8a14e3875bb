package spool

import (
	"errors"
	iofs "io/fs"
	"strings"
	"syscall"

	"github.com/exgate/exgate/connectors/internal/database"
)

const (
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
		func(name string) bool { return strings.HasSuffix(name, database.LogSuffix) },
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

const adviceFull = "free space on its disk or lower upstream.spool.max_bytes"

// advice says what to do about an error of the disk.
func advice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, database.ErrNoRoom):
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
