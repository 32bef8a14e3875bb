package modules

import (
	"context"
	"os"
	"time"

	"github.com/fsnotify/fsnotify"
)

// eventDelay gathers the changes of a moment into one look.
const eventDelay = 50 * time.Millisecond

// startWatcher asks the system to tell of changes. Without it the folder is looked at now and then.
func (f *Folder) startWatcher() {
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		if err = watcher.Add(f.config.Path); err == nil {
			f.watcher = watcher
			return
		}
		_ = watcher.Close()
	}
	f.log.Warn("the system does not tell of changes in the folder of modules", "look_every", f.config.Poll.String(), "error", err)
}

func (f *Folder) stopWatcher() {
	if f.watcher != nil {
		_ = f.watcher.Close()
	}
}

// watch looks at the folder whenever something may have changed.
func (f *Folder) watch(ctx context.Context) {
	defer close(f.watched)
	defer f.stopWatcher()
	var changes chan fsnotify.Event
	var failures chan error
	if f.watcher != nil {
		changes, failures = f.watcher.Events, f.watcher.Errors
	}
	folder, _ := os.Stat(f.config.Path)
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
			next.Reset(eventDelay)
			drained(changes)
		case err := <-failures:
			f.log.Warn("watching the folder of modules", "error", err)
		case <-next.C:
			folder = f.follow(folder)
			next.Reset(f.look(ctx, f.config.Settle))
		}
	}
}

// drained empties what has come meanwhile.
func drained(changes chan fsnotify.Event) {
	for {
		select {
		case <-changes:
		default:
			return
		}
	}
}

// follow watches the folder that stands at the path now, where that is another than before.
func (f *Folder) follow(before os.FileInfo) os.FileInfo {
	now, err := os.Stat(f.config.Path)
	if err != nil || f.watcher == nil || before != nil && os.SameFile(before, now) {
		return before
	}
	_ = f.watcher.Remove(f.config.Path)
	if err := f.watcher.Add(f.config.Path); err != nil {
		f.log.Warn("watching the folder of modules", "error", err)
	}
	return now
}
