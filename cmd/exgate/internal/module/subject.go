package module

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/exgate/exgate/hostabi/sdk/script"
	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/wasm"
)

// Subject is a module and how it is run.
type Subject struct {
	Path   string
	Module []byte
	Config []byte      // of the guest
	Limits wasm.Limits // zero fields mean the gateway's defaults
}

// The largest files, in bytes.
const (
	maxModule = 64 << 20
	maxConfig = 4 << 20
	maxGolden = 256 << 20
	// MaxSample bounds a sample. Larger recordings can be replayed but not measured.
	MaxSample = 256 << 20
)

// Open reads a module or a script. config is its configuration, or @FILE to read it from a file. framing is a script's.
func Open(path, config, framing string, limits wasm.Limits) (*Subject, error) {
	module, err := boundedfile.Read(path, maxModule)
	if err != nil {
		return nil, fmt.Errorf("reading the module: %w", err)
	}
	if filepath.Ext(path) == script.Ending {
		of := script.Script{Name: filepath.Base(path), Source: module, Framing: framing}
		if module, err = of.Module(); err != nil {
			return nil, fmt.Errorf("reading the script: %w", err)
		}
	}
	s := &Subject{Path: path, Module: module, Config: []byte(config), Limits: limits}
	if file, ok := strings.CutPrefix(config, "@"); ok {
		if s.Config, err = boundedfile.Read(file, maxConfig); err != nil {
			return nil, fmt.Errorf("reading --config: %w", err)
		}
	}
	return s, nil
}

// engine loads the module with a guest configuration.
func (s *Subject) engine(
	ctx context.Context, config []byte, log *slog.Logger, isolation wasm.Isolation,
) (*wasm.Engine, error) {
	return wasm.New(ctx, wasm.Config{
		Name: "module", Module: s.Module, GuestConfig: config, Limits: s.Limits, Shards: 1, Logger: log,
		Isolation: isolation,
	})
}
