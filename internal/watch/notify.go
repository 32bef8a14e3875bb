package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// notifier is a source of notifications.
type notifier interface {
	// events receives a value after any change.
	events() <-chan struct{}
	// follow sets the watched folders. It skips folders that do not exist.
	follow(folders []string) error
	close()
}

// silent is a notifier without notifications.
type silent struct{}

func (silent) events() <-chan struct{} { return nil }
func (silent) follow([]string) error   { return nil }
func (silent) close()                  {}

// hub owns the watcher of the process: the system allows each user only a few.
var hub watcherHub

// watcherHub shares one watcher between all subscriptions. The watcher exists while there are subscriptions.
type watcherHub struct {
	control sync.Mutex // guards the fields below
	watcher *fsnotify.Watcher
	pumped  chan struct{}          // closed when pump has ended
	folders map[string]fs.FileInfo // the watched folders, as they were when added

	// pump takes only this lock: the watcher waits for pump while the holder of control waits for the watcher.
	mu            sync.Mutex
	subscriptions map[*subscription]struct{} // guarded by mu; changed with control held too
}

// subscription receives an event for any change in any watched folder: several paths may lead to the same one.
type subscription struct {
	changed chan struct{}
	folders []string // guarded by hub.control
}

func newSubscription() *subscription { return &subscription{changed: make(chan struct{}, 1)} }

func (s *subscription) events() <-chan struct{} { return s.changed }

func (s *subscription) follow(folders []string) error {
	hub.control.Lock()
	defer hub.control.Unlock()
	if err := hub.join(s); err != nil {
		return err
	}
	s.folders = s.folders[:0]
	var errs []error
	for _, folder := range folders {
		path, err := filepath.EvalSymlinks(folder)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err == nil {
			err = hub.add(path)
		}
		switch {
		case err == nil:
			s.folders = append(s.folders, path)
		case !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, err)
		}
	}
	hub.dropUnused()
	return errors.Join(errs...)
}

func (s *subscription) close() { hub.leave(s) }

// join adds s to the subscriptions. The caller holds control.
func (h *watcherHub) join(s *subscription) error {
	if h.watcher == nil {
		watcher, err := fsnotify.NewWatcher()
		if err != nil {
			return err
		}
		h.watcher, h.pumped, h.folders = watcher, make(chan struct{}), make(map[string]fs.FileInfo)
		go h.pump(watcher, h.pumped)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subscriptions == nil {
		h.subscriptions = make(map[*subscription]struct{})
	}
	h.subscriptions[s] = struct{}{}
	return nil
}

// leave removes a subscription, and closes the watcher with the last one.
func (h *watcherHub) leave(s *subscription) {
	h.control.Lock()
	defer h.control.Unlock()
	h.mu.Lock()
	delete(h.subscriptions, s)
	last := len(h.subscriptions) == 0
	h.mu.Unlock()
	switch {
	case h.watcher == nil:
	case last:
		_ = h.watcher.Close()
		<-h.pumped
		h.watcher = nil
	default:
		h.dropUnused()
	}
}

// pump notifies all subscriptions of each event. Errors count as events: if the event queue has overflowed, anything
// may have changed.
func (h *watcherHub) pump(watcher *fsnotify.Watcher, pumped chan struct{}) {
	defer close(pumped)
	events, failures := watcher.Events, watcher.Errors
	for events != nil || failures != nil {
		ok := false
		select {
		case _, ok = <-events:
			if !ok {
				events = nil
			}
		case _, ok = <-failures:
			if !ok {
				failures = nil
			}
		}
		if ok {
			h.tell()
		}
	}
}

func (h *watcherHub) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subscriptions {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

// add watches a folder, again if its path now leads to another one. The caller holds control.
func (h *watcherHub) add(path string) error {
	now, err := os.Stat(path)
	if err != nil {
		return err
	}
	before := h.folders[path]
	if before != nil && os.SameFile(before, now) && slices.Contains(h.watcher.WatchList(), path) {
		return nil
	}
	_ = h.watcher.Remove(path)
	if err := h.watcher.Add(path); err != nil {
		delete(h.folders, path)
		return err
	}
	h.folders[path] = now
	return nil
}

// dropUnused stops watching folders without a subscription. The caller holds control.
func (h *watcherHub) dropUnused() {
	used := make(map[string]bool)
	h.mu.Lock()
	for s := range h.subscriptions {
		for _, folder := range s.folders {
			used[folder] = true
		}
	}
	h.mu.Unlock()
	for folder := range h.folders {
		if !used[folder] {
			_ = h.watcher.Remove(folder)
			delete(h.folders, folder)
		}
	}
}
