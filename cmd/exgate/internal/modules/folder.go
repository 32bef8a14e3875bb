package modules

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm"
)

// Config is what a [Folder] is made of.
type Config struct {
	// Path is the folder's. It is required.
	Path string

	// Gateway gets the handler of each module, under the name that [Handler] gives it. It is required.
	Gateway *gateway.Gateway

	// Listen opens the listener that the file of the module name asks for. detach closes it and leaves its connections. It is required.
	Listen func(ctx context.Context, name string, m *config.Module) (at net.Addr, detach func() error, err error)

	// CacheDir is where compiled modules are kept. If zero, nowhere.
	CacheDir string

	// Logger takes the log. If zero, slog.Default().
	Logger *slog.Logger

	// Guests counts what guests do, Versions what becomes of versions, and Metrics what becomes of files. If zero, each is a set of its own that is
	// not registered.
	Guests   *wasm.Metrics
	Versions *wasm.ModuleMetrics
	Metrics  *Metrics

	// Settle is how long a file must have stayed the same before it is read. If zero, 500 ms.
	Settle time.Duration

	// Poll is how often the folder is looked at where the system does not tell of changes, as in network file systems. If zero, 5 s.
	Poll time.Duration
}

// Handler is the name that the gateway knows the handler of a module by.
func Handler(module string) string { return "modules/" + module }

// Folder is a folder of modules that is watched.
type Folder struct {
	config  Config
	log     *slog.Logger
	watcher *fsnotify.Watcher // nil where the system has none to give
	cancel  context.CancelFunc
	watched chan struct{} // closed when watching has ended

	// Owned by Open, then by watch.
	entries map[string]*entry
	trouble string // why the folder could not be read, when it was last looked at

	mu    sync.Mutex // guards the fields below
	state map[string]Status
}

// Open takes the modules that are in the folder now, and watches it from then on. What is wrong with a module is in its status and in the log.
func Open(ctx context.Context, c Config) (*Folder, error) {
	c.Settle, c.Poll = cmp.Or(c.Settle, 500*time.Millisecond), cmp.Or(c.Poll, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Guests == nil {
		c.Guests = wasm.NewMetrics(nil)
	}
	if c.Versions == nil {
		c.Versions = wasm.NewModuleMetrics(nil)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	f := &Folder{
		config: c, log: c.Logger.With("modules", c.Path), watched: make(chan struct{}),
		entries: make(map[string]*entry), state: make(map[string]Status),
	}
	f.startWatcher()
	f.look(ctx, 0)
	f.look(ctx, 0) // for listeners that need a module which came later
	if f.trouble != "" {
		f.stopWatcher()
		return nil, fmt.Errorf("reading the folder of modules: %s", f.trouble)
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f.cancel = cancel
	go f.watch(watching)
	return f, nil
}

// Close ends the watching. What serves and listens goes on, until the gateway closes it. It may be called again.
func (f *Folder) Close(ctx context.Context) error {
	f.cancel()
	select {
	case <-f.watched:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a module was still being loaded: %w", ctx.Err())
	}
}
