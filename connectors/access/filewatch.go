package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	fileSettle = 100 * time.Millisecond // a file must have been the same for so long: it may be half written
	filePoll   = 5 * time.Second        // how often it is looked at where the system does not tell: network file systems, links into other folders
)

// Watch takes over what changes in the file until ctx ends: usually at once, and within about 5 s where the system does not tell. A file that is
// broken or gone is logged once and leaves the last good one in force. A changed rule holds for sessions that are open; a user who is gone keeps
// theirs. Call it once. If log is nil, slog.Default().
func (f *File) Watch(ctx context.Context, log *slog.Logger) {
	if log == nil {
		log = slog.Default()
	}
	changes, stop := f.changes(log)
	defer stop()
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
			next.Reset(fileSettle)
		case <-next.C:
			next.Reset(f.look(log))
		}
	}
}

// changes tells of what happens in the file's folder, where a rename puts another file in its place. It is nil where the system does not tell.
func (f *File) changes(log *slog.Logger) (_ <-chan fsnotify.Event, stop func()) {
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		if err = watcher.Add(filepath.Dir(f.path)); err == nil {
			return watcher.Events, func() { _ = watcher.Close() }
		}
		_ = watcher.Close()
	}
	log.Warn("the system does not tell of changes in the folder of the auth file", "file", f.path, "look_every", filePoll.String(), "error", err)
	return nil, func() {}
}

// look takes the file over where it has changed, and returns when to look again.
func (f *File) look(log *slog.Logger) time.Duration {
	settled, err := f.reload()
	switch {
	case err == nil && settled:
		f.problem = ""
		c := f.content.Load()
		log.Info("auth file reloaded", "file", f.path, "users", len(c.users))
	case errors.Is(err, errUnsettled):
		return fileSettle
	case err != nil && err.Error() != f.problem:
		f.problem = err.Error()
		log.Error("auth file not reloaded, the last good one stays in force", "error", err)
	}
	return filePoll
}

var errUnsettled = errors.New("the file has just changed")

// reload reports whether another file is in force now. It wants the same text at two looks in a row.
func (f *File) reload() (bool, error) {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return false, fmt.Errorf("reading the auth file: %w", err)
	}
	sum := sha256.Sum256(text)
	settled := sum == f.seen
	f.seen = sum
	switch {
	case sum == f.loaded:
		f.problem = ""
		return false, nil
	case !settled:
		return false, errUnsettled
	}
	c, err := parseFile(f.path, text)
	if err != nil {
		return false, err
	}
	f.use(c)
	f.loaded = sum
	return true, nil
}
