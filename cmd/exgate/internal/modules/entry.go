package modules

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/runtime/wasm/rollout"
)

// entry is one module of the folder.
type entry struct {
	folder *Folder
	name   string

	mu        sync.Mutex // guards the fields below; held while the files are loaded
	forgotten bool       // it never was a module, and its files are removed

	seen  files     // the files at the last look
	since time.Time // when seen last changed
	taken bool      // seen has been loaded or rejected

	digest   string          // SHA-256 of the .wasm file as last read, in hex
	module   *rollout.Module // nil before one was loaded
	settings *config.Module  // of the module loaded last
	listener *openListener   // nil if the module has none
	unheard  bool            // the listener could not be opened
}

const (
	// maxModule bounds a .wasm file, in bytes.
	maxModule = 64 << 20
	// patience is how long a truncated module may take to become complete before it is reported as broken.
	patience = 5 * time.Second
)

// errChanging reports a file that changed while it was read.
var errChanging = errors.New("it is being changed")

// take loads the files of the entry. It reports false if it has to look at them again.
func (e *entry) take(ctx context.Context) bool {
	switch {
	case e.seen.err != nil:
		e.reject(e.seen.err)
		return true
	case e.seen.module == nil:
		e.removed()
		return true
	}
	module, settings, err := e.read()
	_, incomplete := errors.AsType[*IncompleteError](err)
	switch {
	case errors.Is(err, errChanging):
		e.since = time.Now()
		return false
	case incomplete && time.Since(e.since) < patience:
		e.publish(Waiting, err.Error())
		return false
	case err == nil:
		err = e.load(ctx, module, settings)
	}
	if err != nil {
		e.reject(err)
		return true
	}
	e.publish(Loaded, "")
	return true
}

// read reads the files of the entry as they were seen.
func (e *entry) read() ([]byte, *config.Module, error) {
	if !config.IsModuleName(e.name) {
		return nil, nil, fmt.Errorf("%q is not a valid module name: use a-z, 0-9, - and _", e.name)
	}
	settings := &config.Module{}
	if e.seen.settings != nil {
		if err := boundedfile.Regular(e.folder.path(e.name, config.ModuleSettings), e.seen.settings); err != nil {
			return nil, nil, err
		}
		var err error
		if settings, err = config.LoadModule(e.folder.path(e.name, config.ModuleSettings), e.name); err != nil {
			return nil, nil, err
		}
	}
	module, err := readModule(e.folder.path(e.name, e.seen.ending), settings)
	if err != nil {
		return nil, nil, err
	}
	if !e.stillSeen() {
		return nil, nil, errChanging
	}
	sum := sha256.Sum256(module)
	e.digest = hex.EncodeToString(sum[:])
	return module, settings, nil
}

// readModule reads a .wasm file, or a script.
func readModule(path string, settings *config.Module) ([]byte, error) {
	if filepath.Ext(path) == config.ScriptFile {
		return ReadScript(path, settings.Framing)
	}
	if settings.Framing != "" {
		return nil, fmt.Errorf("%s: framing is for scripts: a module divides streams into frames itself", path)
	}
	module, err := boundedfile.Read(path, maxModule)
	if err != nil {
		return nil, err
	}
	if err := Whole(module); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return module, nil
}

// stillSeen reports whether the files have not changed since seen.
func (e *entry) stillSeen() bool {
	stat := func(ending string) os.FileInfo {
		info, err := os.Stat(e.folder.path(e.name, ending))
		if err != nil {
			return nil
		}
		return info
	}
	now := files{module: stat(e.seen.ending), settings: stat(config.ModuleSettings), ending: e.seen.ending}
	return e.seen.same(now)
}

// load swaps the module in, and opens its listener.
func (e *entry) load(ctx context.Context, module []byte, settings *config.Module) error {
	e.publish(Loading, "")
	guest := settings.Guest()
	guest.Module = module
	if e.module == nil {
		return inFile(settings, e.loadFirst(ctx, guest, settings))
	}
	if err := e.module.Swap(ctx, guest, settings.Swap()); err != nil {
		return inFile(settings, err)
	}
	e.settings = settings
	return e.listen(ctx)
}

// inFile returns err or, if the module's schema refuses its configuration, the problems with their lines in the file.
func inFile(settings *config.Module, err error) error {
	if problems := settings.ConfigProblems(err); problems != nil {
		return problems
	}
	return err
}

// loadFirst loads the first version of the module.
func (e *entry) loadFirst(ctx context.Context, guest wasm.Config, settings *config.Module) error {
	c := e.folder.config
	m, err := rollout.New(rollout.Config{
		Name: e.name, CacheDir: c.CacheDir, Logger: c.Logger, Guests: c.Guests, Metrics: c.Versions,
	})
	if err != nil {
		return err
	}
	if err := m.Swap(ctx, guest, settings.Swap()); err != nil {
		return errors.Join(err, m.Close(ctx))
	}
	if err := c.Gateway.SetHandler(Handler(e.name), m); err != nil {
		return errors.Join(err, m.Close(ctx))
	}
	e.module, e.settings = m, settings
	return e.listen(ctx)
}

// removed drains the module after its file was removed.
func (e *entry) removed() {
	switch {
	case e.module != nil:
		e.unheard = false
		e.closeListener()
		e.module.Remove(e.settings.DrainTimeout)
		e.publish(Removed, "")
		e.folder.log.Info("module removed", "module", e.name)
	case e.seen.settings != nil:
		e.publish(Waiting, noModule(e.name))
	default:
		e.forget()
	}
}

// noModule says that settings have no module.
func noModule(name string) string {
	return fmt.Sprintf("there is no %[1]s%[2]s or %[1]s%[3]s next to %[1]s%[4]s", name, config.ModuleFile,
		config.ScriptFile, config.ModuleSettings)
}

// reject logs and counts why the files were rejected.
func (e *entry) reject(err error) {
	e.folder.config.Metrics.reject(e.name)
	serves := "nothing"
	if e.module != nil && e.module.Serving() != "" {
		serves = e.module.Serving()[:12]
	}
	attrs := []any{
		"module", e.name, "file", e.folder.path(e.name, cmp.Or(e.seen.ending, config.ModuleFile)), "serves", serves,
		"error", err,
	}
	if trace := wasm.TraceOf(err); trace != nil {
		attrs = append(attrs, "stack", trace.String())
	}
	e.folder.log.Error("module rejected", attrs...)
	e.publish(Rejected, err.Error())
}
