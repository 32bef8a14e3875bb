package database

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrLocked is returned by [Folder.Lock] if the folder is in use.
var ErrLocked = errors.New("another process, or another connector of this one, has the folder open")

// Folder is the folder of a database; nothing else may be in it.
type Folder struct {
	Path   string
	FS     vfs.FS
	Logger *slog.Logger
}

// Make creates the folder and its parents, and syncs the parents: pebble syncs only the folder itself.
func (f Folder) Make() error { return makeFolder(f.Path, f.FS) }

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

// Lock returns [ErrLocked] if the folder is in use, and other errors if it cannot be written to.
func (f Folder) Lock() (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(f.Path, f.FS)
	if pathErr := (*os.PathError)(nil); err != nil && !errors.As(err, &pathErr) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("locking it: %w", err)
	}
	return lock, nil
}
