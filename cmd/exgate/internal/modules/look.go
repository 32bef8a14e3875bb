package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// files holds the files of one module, with links resolved; nil if a file is missing.
type files struct {
	module, settings os.FileInfo
	ending           string // of the module
	err              error  // why one of them cannot be examined, such as a link to itself
}

func (a files) same(b files) bool {
	return a.ending == b.ending && sameFile(a.module, b.module) && sameFile(a.settings, b.settings) &&
		textOf(a.err) == textOf(b.err)
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// look starts loading the files that have been unchanged for settle. It returns when to look again.
func (f *Folder) look(ctx context.Context, settle time.Duration) (next time.Duration) {
	found, err := f.scan()
	f.complain(err)
	if err != nil {
		return f.config.times.poll
	}
	for name := range found {
		if f.entries[name] == nil {
			f.entries[name] = &entry{folder: f, name: name}
		}
	}
	next = f.config.times.poll
	for name, e := range f.entries {
		if !e.mu.TryLock() { // being loaded
			next = min(next, f.config.times.settle)
			continue
		}
		if e.forgotten {
			delete(f.entries, name)
		}
		next = min(next, f.lookAt(ctx, e, found[name], settle)) // a removed module has no files
	}
	return next
}

// lookAt looks at one module and returns when to look again. It unlocks the entry, at once or after loading its files.
func (f *Folder) lookAt(ctx context.Context, e *entry, now files, settle time.Duration) time.Duration {
	if !e.seen.same(now) || e.since.IsZero() {
		e.seen, e.since, e.taken = now, time.Now(), false
	}
	switch wait := settle - time.Since(e.since); {
	case !e.taken && wait > 0:
		e.mu.Unlock()
		return wait
	case ctx.Err() != nil || e.taken && !e.unheard || e.forgotten:
		e.mu.Unlock()
		return f.config.times.poll
	}
	f.load(ctx, e)
	return f.config.times.settle
}

// load loads the files of an entry, or retries its listener, in a goroutine that then unlocks the entry.
func (f *Folder) load(ctx context.Context, e *entry) {
	f.begin(e.name)
	f.loading.Go(func() {
		defer f.end(e.name)
		defer e.mu.Unlock()
		if !slices.Contains(f.config.Needed, e.name) {
			leave := f.slots.take(ctx)
			if leave == nil {
				return
			}
			defer leave()
		}
		if f.config.loading != nil {
			f.config.loading(e.name)
		}
		if e.taken {
			e.listenAgain(ctx)
			return
		}
		e.taken = e.take(ctx)
	})
}

// scan returns the files of modules by name.
func (f *Folder) scan() (map[string]files, error) {
	entries, err := os.ReadDir(f.config.Path)
	if err != nil {
		return nil, err
	}
	found := make(map[string]files)
	for _, entry := range entries {
		ending := filepath.Ext(entry.Name())
		name := strings.TrimSuffix(entry.Name(), ending)
		if name == "" || strings.HasPrefix(name, ".") || !isModule(ending) && ending != config.ModuleSettings {
			continue
		}
		info, err := os.Stat(f.path(name, ending))
		if _, missing := os.Lstat(f.path(name, ending)); errors.Is(missing, fs.ErrNotExist) {
			continue
		}
		of := found[name]
		switch {
		case err != nil:
			of.err = errors.Join(of.err, err)
		case isModule(ending) && of.module != nil:
			of.err = errors.Join(of.err, errTwo(name))
		case isModule(ending):
			of.module, of.ending = info, ending
		default:
			of.settings = info
		}
		found[name] = of
	}
	return found, nil
}

// isModule reports whether files with this ending are modules.
func isModule(ending string) bool { return ending == config.ModuleFile || ending == config.ScriptFile }

func errTwo(name string) error {
	return fmt.Errorf("there are %s and %s: remove one of them", name+config.ModuleFile, name+config.ScriptFile)
}

func (f *Folder) path(name, ending string) string { return filepath.Join(f.config.Path, name+ending) }

// complain logs why the folder cannot be read, once.
func (f *Folder) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != f.trouble {
		f.log.Error("cannot read the modules folder; keeping the current modules", "error", text)
	}
	f.trouble = text
}
