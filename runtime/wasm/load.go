package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/meter"
	"github.com/exgate/exgate/runtime/wasm/internal/stack"
	"github.com/exgate/exgate/runtime/wasm/internal/wasi"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// program is a compiled guest and its runtime.
type program struct {
	runtime wazero.Runtime
	code    wazero.CompiledModule
	cache   wazero.CompilationCache // nil if none is configured
	parts   meter.Parts             // what is needed to clone instances, without the module itself
	ends    termination
	symbols *stack.Symbols
}

// load meters, compiles and checks a guest. If the cache fails, it compiles without one.
func load(ctx context.Context, c Config, log *slog.Logger) (*program, error) {
	var o meter.Options
	symbols := symbolsOf(c.Module, &o)
	parts, ends, err := rewrite(c, o)
	switch {
	case err != nil && ends != byContext:
		return nil, fmt.Errorf("reading the module: %w", err)
	case err != nil:
		log.Warn("cannot meter the module; a context interrupts its events", "reason",
			bounded(err.Error(), maxErrorText))
	}
	module := parts.Module
	parts.Module = nil
	p, err := compileMaybeCached(ctx, module, c, ends, log)
	if err != nil {
		return nil, err
	}
	p.parts, p.symbols = parts, symbols
	return p, nil
}

func compileMaybeCached(ctx context.Context, module []byte, c Config, ends termination,
	log *slog.Logger,
) (*program, error) {
	if c.CacheDir != "" {
		p, err := compileCached(ctx, module, c, ends)
		if err == nil {
			return p, nil
		}
		log.Warn("compiling without the cache", "cache_dir", c.CacheDir, "error", bounded(err.Error(), maxErrorText))
	}
	return compile(ctx, module, c.Limits, ends, nil)
}

func compileCached(ctx context.Context, module []byte, c Config, ends termination) (*program, error) {
	cache, err := wazero.NewCompilationCacheWithDir(c.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("opening the compilation cache %s: %w", c.CacheDir, err)
	}
	p, err := compile(ctx, module, c.Limits, ends, cache)
	if err != nil {
		return nil, errors.Join(err, cache.Close(ctx))
	}
	return p, nil
}

func compile(ctx context.Context, module []byte, l Limits, ends termination,
	cache wazero.CompilationCache,
) (p *program, err error) {
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(ends.features()).
		WithMemoryLimitPages(l.MemoryPages).
		WithDebugInfoEnabled(true). // only package meter adds any
		WithCloseOnContextDone(ends == byContext)
	if cache != nil {
		config = config.WithCompilationCache(cache)
	}
	p = &program{runtime: wazero.NewRuntimeWithConfig(ctx, config), ends: ends}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the compiler panicked: %v", r)
		}
		if err != nil {
			_ = p.close(ctx)
			p = nil
			return
		}
		p.cache = cache
	}()
	if err := p.provide(ctx); err != nil {
		return p, err
	}
	if p.code, err = p.runtime.CompileModule(ctx, module); err != nil {
		return p, fmt.Errorf("compiling the module: %w", err)
	}
	if err := errors.Join(hostabi.Check(p.code), wasi.Check(p.code)); err != nil {
		return p, fmt.Errorf("the module is not an %s guest: %w", hostabi.ModuleName, err)
	}
	return p, nil
}

// importsSaveState reports whether the module can save the state of devices.
func (p *program) importsSaveState() bool {
	return slices.ContainsFunc(p.code.ImportedFunctions(), func(f api.FunctionDefinition) bool {
		module, name, _ := f.Import()
		return module == hostabi.ModuleName && name == "save_state"
	})
}

func (p *program) provide(ctx context.Context) error {
	if err := hostabi.Instantiate(ctx, p.runtime); err != nil {
		return err
	}
	return wasi.Provide(ctx, p.runtime,
		func(ctx context.Context) wasi.Guest { return wasiGuest{ctx.Value(instanceKey{}).(*instance)} })
}

// moduleConfig sets a source of random numbers, which no guest can reach, to keep wazero from seeding one for each
// instance.
var moduleConfig = wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader)

// instantiate creates an instance without running any code of the module.
func (p *program) instantiate(ctx context.Context) (m api.Module, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it panicked: %v", r)
		}
	}()
	return p.runtime.InstantiateModule(ctx, p.code, moduleConfig)
}

// close frees the program. None of its instances may be running.
func (p *program) close(ctx context.Context) error {
	err := p.runtime.Close(ctx)
	if p.cache != nil {
		err = errors.Join(err, p.cache.Close(ctx))
	}
	return err
}
