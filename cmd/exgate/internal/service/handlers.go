package service

import (
	"context"
	"fmt"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/modules"
	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/runtime/wasm/rollout"
	"github.com/exgate/exgate/wasm-examples/line"
)

// handlers creates the handlers of listeners.
type handlers struct {
	service  *Service
	cfg      *config.Config // the configuration of the listeners
	wasm     *wasm.Metrics
	versions *rollout.Metrics
}

func newHandlers(s *Service) *handlers {
	return &handlers{
		service: s, cfg: s.config(), wasm: wasm.NewMetrics(s.registry), versions: rollout.NewMetrics(s.registry),
	}
}

// add registers the handler of the listener name with the gateway, unless it is a module of the folder, and returns its
// name in the gateway; key is the handler's key in the configuration. The gateway closes the handler.
func (h *handlers) add(ctx context.Context, name, key string, cfg config.Handler) (string, error) {
	if cfg.Module != "" {
		return h.named(ctx, key+".module", cfg.Module)
	}
	factory, err := h.factory(ctx, name, key, cfg)
	if err != nil {
		return "", err
	}
	return name, h.service.gateway.SetHandler(name, factory)
}

func (h *handlers) factory(ctx context.Context, name, key string, cfg config.Handler) (gateway.HandlerFactory, error) {
	if len(cfg.GRPC) > 0 {
		return h.client(name, key, cfg)
	}
	if cfg.Script != "" {
		return h.script(ctx, name, key, cfg)
	}
	return h.engine(ctx, name, key, cfg)
}

func (h *handlers) script(ctx context.Context, name, key string, cfg config.Handler) (gateway.HandlerFactory, error) {
	s := h.service
	file, err := modules.OpenScript(ctx, modules.ScriptConfig{
		Name: name, Path: cfg.Script, Framing: cfg.Framing, Guest: cfg.Guest(), CacheDir: h.cfg.ModulesCache,
		Logger: s.log, Guests: h.wasm, Versions: h.versions,
	})
	if err != nil {
		return nil, h.cfg.Problem(key+".script", "%v", moduleError(cfg.Script, name, err))
	}
	return file, nil
}

func (h *handlers) engine(ctx context.Context, name, key string, cfg config.Handler) (gateway.HandlerFactory, error) {
	s := h.service
	module, err := module(cfg)
	if err != nil {
		return nil, h.cfg.Problem(key+".wasm", "%v", err)
	}
	guest := cfg.Guest()
	guest.Name, guest.Module, guest.CacheDir, guest.Logger, guest.Metrics = name, module, h.cfg.ModulesCache, s.log,
		h.wasm
	engine, err := wasm.New(ctx, guest)
	if problems := h.cfg.ConfigProblems(key, err); problems != nil {
		return nil, problems
	}
	if err != nil {
		return nil, h.cfg.Problem(key+".wasm", "%v", moduleError(cfg.Wasm, name, err))
	}
	return engine, nil
}

// maxModule bounds the file of a module, in bytes.
const maxModule = 64 << 20

// fingerprint identifies a module with its settings.
func fingerprint(file string, guest wasm.Config) string { return fmt.Sprintf("%s\x00%+v", file, guest) }

// moduleError explains in one line why the engine called name rejects a module file.
func moduleError(file, name string, err error) error {
	text := strings.TrimPrefix(err.Error(), "loading wasm handler "+name+": ")
	return fmt.Errorf("%s: %s", file, strings.ReplaceAll(text, "\n", "; "))
}

// module returns the bytes of a module, built in or from a file, or of a script.
func module(cfg config.Handler) ([]byte, error) {
	name, builtin := cfg.BuiltinName()
	switch {
	case cfg.Script != "":
		return modules.ReadScript(cfg.Script, cfg.Framing)
	case !builtin:
		return boundedfile.Read(cfg.Wasm, maxModule)
	case name == "line":
		return line.Module, nil
	}
	panic("internal error: unknown built-in module " + name)
}
