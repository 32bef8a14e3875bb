package modules

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// files are those of one module; nil where one is not there. They are what links lead to.
type files struct{ module, settings os.FileInfo }

func (a files) same(b files) bool {
	return sameFile(a.module, b.module) && sameFile(a.settings, b.settings)
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// look takes the files that have stayed the same for settle, and says when to look again.
func (f *Folder) look(ctx context.Context, settle time.Duration) (next time.Duration) {
	found, err := f.scan()
	f.complain(err)
	if err != nil {
		return f.config.Poll
	}
	for name := range found {
		if f.entries[name] == nil {
			f.entries[name] = &entry{folder: f, name: name}
		}
	}
	next = f.config.Poll
	for _, e := range f.entries {
		next = min(next, f.lookAt(ctx, e, found[e.name], settle)) // one that is gone has no files
	}
	return next
}

// lookAt looks at one module, and says when to look again.
func (f *Folder) lookAt(ctx context.Context, e *entry, now files, settle time.Duration) time.Duration {
	if !e.seen.same(now) || e.since.IsZero() {
		e.seen, e.since, e.taken = now, time.Now(), false
	}
	if wait := settle - time.Since(e.since); !e.taken && wait > 0 {
		return wait
	}
	switch {
	case ctx.Err() != nil:
	case !e.taken:
		e.taken = e.take(ctx)
	case e.unheard:
		e.listenAgain(ctx)
	}
	if !e.taken {
		return f.config.Settle
	}
	return f.config.Poll
}

// scan finds the files of modules by name.
func (f *Folder) scan() (map[string]files, error) {
	entries, err := os.ReadDir(f.config.Path)
	if err != nil {
		return nil, err
	}
	found := make(map[string]files)
	for _, entry := range entries {
		ending := filepath.Ext(entry.Name())
		name := strings.TrimSuffix(entry.Name(), ending)
		if name == "" || strings.HasPrefix(name, ".") || ending != config.ModuleFile && ending != config.ModuleSettings {
			continue
		}
		info, err := os.Stat(f.path(name, ending))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		of := found[name]
		if ending == config.ModuleFile {
			of.module = info
		} else {
			of.settings = info
		}
		found[name] = of
	}
	return found, nil
}

func (f *Folder) path(name, ending string) string { return filepath.Join(f.config.Path, name+ending) }

// complain logs why the folder cannot be read, once.
func (f *Folder) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != f.trouble {
		f.log.Error("the folder of modules cannot be read: what serves stays", "error", text)
	}
	f.trouble = text
}
