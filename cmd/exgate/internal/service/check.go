package service

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/modules"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/wasm"
)

// Check returns what Start would reject in a loaded configuration, except for addresses in use: modules that do not
// load or start, and folders that are not writable. It opens no socket, connects to nothing and leaves nothing behind.
func Check(ctx context.Context, cfg *config.Config) config.Problems {
	c := &checking{
		service: newService(cfg, slog.New(slog.DiscardHandler), Succession{}),
		started: make(map[string]error),
	}
	c.upstream(ctx)
	for _, folder := range Folders(cfg) {
		c.add(folder.Check(cfg))
	}
	for _, name := range cfg.Names() {
		c.handler(ctx, name, cfg.Listeners[name].Handler)
	}
	if cfg.Modules != "" {
		c.add(modules.Check(ctx, cfg))
	}
	return c.problems
}

// checking is one Check.
type checking struct {
	service  *Service
	problems config.Problems
	// results of modules by file and settings, because several listeners may use the same module
	started map[string]error
}

// add adds the problems in err, which may be nil.
func (c *checking) add(err error) {
	var one config.Problem
	var several config.Problems
	switch {
	case errors.As(err, &several):
		c.problems = append(c.problems, several...)
	case errors.As(err, &one):
		c.problems = append(c.problems, one)
	case err != nil:
		c.problems = append(c.problems, config.Problem{Where: "start", Text: err.Error()})
	}
}

// upstream creates the connector of an external broker, which connects only when it is used.
func (c *checking) upstream(ctx context.Context) {
	s := c.service
	if !s.config().Upstream.Elsewhere() {
		return
	}
	of, err := s.mqttConfig()
	if err != nil {
		c.add(err)
		return
	}
	// these would create and lock a folder, and open a connection
	of.Spool, of.GatewayStatus = mqtt.SpoolConfig{}, mqtt.Status{}
	connector, err := mqtt.New(of)
	if err != nil {
		c.add(s.config().Problem("upstream", "%v", err))
		return
	}
	c.add(connector.Close(ctx))
}

// handler starts and stops the modules of a listener.
func (c *checking) handler(ctx context.Context, name string, h config.Handler) {
	key := "listeners." + name + ".handler"
	if h.File() != "" {
		c.module(ctx, key, h)
	}
	if h.Shadow.Wasm != "" {
		h.Wasm, h.Script = h.Shadow.Wasm, ""
		c.module(ctx, key+".shadow", h)
	}
}

func (c *checking) module(ctx context.Context, key string, h config.Handler) {
	guest := h.Guest()
	same := fingerprint(h.File()+"\x00"+h.Framing, guest)
	err, known := c.started[same]
	if !known {
		err = tryModule(ctx, h, guest)
		c.started[same] = err
	}
	switch problems := c.service.config().ConfigProblems(key, err); {
	case problems != nil:
		c.add(problems)
	case err != nil:
		c.add(c.service.config().Problem(key+"."+h.FileKey(), "%v", moduleError(h.File(), checkName, err)))
	}
}

// checkName is the name of the engines that only check a module.
const checkName = "check"

// tryModule loads and starts a module as the engine of a listener does.
func tryModule(ctx context.Context, h config.Handler, guest wasm.Config) error {
	module, err := module(h)
	if err != nil {
		return err
	}
	guest.Name, guest.Module, guest.Logger, guest.Shards = checkName, module, slog.New(slog.DiscardHandler), 1
	engine, err := wasm.New(ctx, guest)
	if err != nil {
		return err
	}
	return engine.Close(ctx)
}

// Folder is a folder that the gateway writes to. It is created if it is missing.
type Folder struct {
	Key  string // the setting with its path
	Path string
}

// Folders returns the folders in cfg.
func Folders(cfg *config.Config) []Folder {
	var all []Folder
	if path := cfg.Upstream.Spool.Folder; path != "" {
		all = append(all, Folder{"upstream.spool.folder", path})
	}
	if cfg.Upstream.LocalState() != "" {
		all = append(all, stateFolder(cfg.Upstream))
	}
	for _, name := range cfg.Names() {
		if path := cfg.Listeners[name].Capture.Folder; path != "" {
			all = append(all, Folder{"listeners." + name + ".capture.folder", path})
		}
	}
	return all
}

// Check returns why the folder cannot be used, as a [config.Problem]. To test a missing folder, it briefly creates one
// under another name.
func (f Folder) Check(cfg *config.Config) error {
	there := f.existing()
	err := unix.Access(there, unix.W_OK|unix.X_OK)
	if err == nil && f.missing() {
		err = makeAndRemove(there) // some file systems reject folders whatever the permissions say
	}
	switch {
	case err == nil:
		return nil
	case filepath.Clean(f.Path) == there && !isFolder(there):
		return cfg.Problem(f.Key, "%s is a file, not a folder", there)
	}
	making := ""
	if filepath.Clean(f.Path) != there || errors.Is(err, unix.ENOTDIR) {
		making = "making " + f.Path + ": "
	}
	return cfg.Problem(f.Key, "%s%s is not writable (%v): change its permissions, or choose another folder",
		making, there, err)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err != nil || info.IsDir()
}

// missing reports whether the folder would be created.
func (f Folder) missing() bool { return f.existing() != filepath.Clean(f.Path) }

// Well describes a usable folder.
func (f Folder) Well() string {
	if f.missing() {
		return f.Path + " can be created"
	}
	return f.Path + " is writable"
}

// existing returns the folder, or its nearest existing parent.
func (f Folder) existing() string {
	folder := filepath.Clean(f.Path)
	for {
		_, err := os.Stat(folder)
		above := filepath.Dir(folder)
		if !errors.Is(err, fs.ErrNotExist) || above == folder {
			return folder
		}
		folder = above
	}
}

func makeAndRemove(in string) error {
	made, err := os.MkdirTemp(in, ".exgate-check-")
	if err == nil {
		return os.Remove(made)
	}
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// newService returns a service that has not started anything.
func newService(cfg *config.Config, log *slog.Logger, from Succession) *Service {
	s := &Service{
		log: log, registry: prometheus.NewRegistry(), opener: from.Sockets, version: from.Version,
		files: admission.NewDescriptors(log), start: make(chan struct{}),
	}
	s.current.Store(cfg)
	s.gateway = gateway.New(gateway.Config{
		Node: cfg.Node, Logger: log, Metrics: gateway.NewMetrics(s.registry), QueueBytes: int64(cfg.MaxQueuedBytes),
	})
	return s
}
