package modules

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/runtime/wasm/rollout"
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
	Versions *rollout.Metrics
	Metrics  *Metrics

	// Settle is how long a file must have stayed the same before it is read. If zero, 500 ms.
	Settle time.Duration

	// Poll is how often the folder is looked at where there are no file notifications, as in network file systems. If zero, 5 s.
	Poll time.Duration

	// StartWait is how long Open waits for modules that are slow to load. They are taken when they are ready. If zero, 5 s.
	StartWait time.Duration

	// Needed are modules that do not wait for their turn, because listeners of the configuration need them. If zero, none.
	Needed []string

	loading func(name string) // called before a module is loaded; nil outside of tests
}

// Handler is the name that the gateway knows the handler of a module by.
func Handler(module string) string { return "modules/" + module }

// Folder is a folder of modules that is watched. Each module is loaded on its own: one that is broken or slow keeps no other from serving.
type Folder struct {
	config  Config
	log     *slog.Logger
	cancel  context.CancelFunc
	watched chan struct{} // closed when watching and loading have ended

	turns     turns
	loading   sync.WaitGroup
	listening sync.Mutex // listeners are opened and closed one at a time

	// Owned by Open, then by watch.
	entries map[string]*entry
	trouble string // why the folder could not be read, when it was last looked at

	mu    sync.Mutex // guards the fields below
	state map[string]Status
	busy  map[string]struct{} // modules that are being loaded or wait for their turn
	idle  chan struct{}       // closed when one of them has been
}

// Open takes the modules that are in the folder now, and watches it from then on. What is wrong with a module is in its status and in the log.
func Open(ctx context.Context, c Config) (*Folder, error) {
	c.Settle, c.Poll, c.StartWait = cmp.Or(c.Settle, 500*time.Millisecond), cmp.Or(c.Poll, 5*time.Second), cmp.Or(c.StartWait, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Guests == nil {
		c.Guests = wasm.NewMetrics(nil)
	}
	if c.Versions == nil {
		c.Versions = rollout.NewMetrics(nil)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &Folder{
		config: c, log: c.Logger.With("modules", c.Path), cancel: cancel, watched: make(chan struct{}), turns: newTurns(),
		entries: make(map[string]*entry), state: make(map[string]Status), busy: make(map[string]struct{}), idle: make(chan struct{}),
	}
	f.look(watching, 0)
	if f.trouble != "" {
		cancel()
		return nil, fmt.Errorf("reading the folder of modules: %s", f.trouble)
	}
	start, done := context.WithTimeout(ctx, c.StartWait)
	defer done()
	f.wait(start, "")
	f.look(watching, 0) // for listeners that need a module which came later
	if slow := f.wait(start, ""); slow != "" {
		f.log.Warn("modules are slow to load; starting without them", "slow", slow, "waited", c.StartWait.String())
	}
	go f.watch(watching)
	return f, nil
}

// Wait waits until the module name is not being loaded any more.
func (f *Folder) Wait(ctx context.Context, name string) { f.wait(ctx, name) }

// wait waits until a module, or each for an empty name, is not being loaded any more. It returns the names of those that still are when ctx ends.
func (f *Folder) wait(ctx context.Context, name string) (busy string) {
	for {
		f.mu.Lock()
		idle := f.idle
		names := slices.Sorted(maps.Keys(f.busy))
		f.mu.Unlock()
		if len(names) == 0 || name != "" && !slices.Contains(names, name) {
			return ""
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return strings.Join(names, ", ")
		}
	}
}

// begin notes that a module is being loaded.
func (f *Folder) begin(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy[name] = struct{}{}
}

// end notes that a module is not being loaded any more.
func (f *Folder) end(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.busy, name)
	close(f.idle)
	f.idle = make(chan struct{})
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
