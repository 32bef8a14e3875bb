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

// Config configures a [Folder].
type Config struct {
	// Path is the folder. Required.
	Path string

	// Gateway is given the handler of each module, under the name that [Handler] returns. Required.
	Gateway *gateway.Gateway

	// Listen opens the listener in the settings of the module name. detach closes it and keeps its connections.
	// Required.
	Listen func(ctx context.Context, name string, m *config.Module) (at net.Addr, detach func() error, err error)

	// CacheDir is where compiled modules are kept. If zero, they are not.
	CacheDir string

	// Logger is the logger. If zero, slog.Default().
	Logger *slog.Logger

	// Guests, Versions and Metrics are the metrics of guests, of versions and of files. If zero, each is an
	// unregistered set.
	Guests   *wasm.Metrics
	Versions *rollout.Metrics
	Metrics  *Metrics

	// Needed names the modules that listeners of the configuration use. They are loaded without waiting for others.
	Needed []string

	times   times
	loading func(name string) // called before a module is loaded; set by tests only
}

// times are the delays of a folder. Tests change them.
type times struct {
	settle    time.Duration // a file must be unchanged for this long before it is read
	poll      time.Duration // how often the folder is read if file notifications are unavailable, as over NFS
	startWait time.Duration // how long Open waits for slow modules, which become active when they are ready
}

var defaultTimes = times{settle: 500 * time.Millisecond, poll: 5 * time.Second, startWait: 5 * time.Second}

// Handler returns the name of the handler of a module in the gateway.
func Handler(module string) string { return "modules/" + module }

// Folder is a watched folder of modules. Each module is loaded independently: a broken or slow one does not affect the
// others.
type Folder struct {
	config  Config
	log     *slog.Logger
	cancel  context.CancelFunc
	watched chan struct{} // closed after watching and loading have ended

	slots     slots
	loading   sync.WaitGroup
	listening sync.Mutex // serializes opening and closing of listeners

	// Owned by Open, then by watch.
	entries map[string]*entry
	trouble string // why the folder could not be read the last time

	mu    sync.Mutex // guards the fields below
	state map[string]Status
	busy  map[string]struct{} // modules that are being loaded or wait for it
	idle  chan struct{}       // closed and replaced when one of them is done
}

// Open loads the modules in the folder, and watches it from then on. Errors of modules are in their status and in the
// log.
func Open(ctx context.Context, c Config) (*Folder, error) {
	c.times = cmp.Or(c.times, defaultTimes)
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
		config: c, log: c.Logger.With("modules", c.Path), cancel: cancel, watched: make(chan struct{}),
		slots:   newSlots(),
		entries: make(map[string]*entry), state: make(map[string]Status), busy: make(map[string]struct{}),
		idle: make(chan struct{}),
	}
	f.look(watching, 0)
	if f.trouble != "" {
		cancel()
		return nil, fmt.Errorf("reading the modules folder: %s", f.trouble)
	}
	start, done := context.WithTimeout(ctx, c.times.startWait)
	defer done()
	f.wait(start, "")
	f.look(watching, 0) // for listeners that need another module
	if slow := f.wait(start, ""); slow != "" {
		f.log.Warn("modules are slow to load; starting without them", "slow", slow,
			"waited", c.times.startWait.String())
	}
	go f.watch(watching)
	return f, nil
}

// Wait waits until the module name is no longer being loaded.
func (f *Folder) Wait(ctx context.Context, name string) { f.wait(ctx, name) }

// wait waits until the module name, or every module if name is empty, is no longer being loaded. If ctx ends first, it
// returns the names of those that still are.
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

// end notes that a module is no longer being loaded.
func (f *Folder) end(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.busy, name)
	close(f.idle)
	f.idle = make(chan struct{})
}

// Close stops watching. Modules and listeners keep running until the gateway closes them. It may be called more than
// once.
func (f *Folder) Close(ctx context.Context) error {
	f.cancel()
	select {
	case <-f.watched:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a module was still being loaded: %w", ctx.Err())
	}
}
