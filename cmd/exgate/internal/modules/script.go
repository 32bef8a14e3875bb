package modules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/exgate/exgate/hostabi/sdk/script"
	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/internal/watch"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/runtime/wasm/rollout"
)

// ReadScript makes a module of the script in a file.
func ReadScript(path, framing string) ([]byte, error) {
	source, err := boundedfile.Read(path, script.MaxSource)
	if err != nil {
		return nil, err
	}
	return moduleOf(path, framing, source)
}

func moduleOf(path, framing string, source []byte) ([]byte, error) {
	return script.Script{Name: filepath.Base(path), Source: source, Framing: framing}.Module()
}

// ScriptConfig configures a [ScriptFile].
type ScriptConfig struct {
	// Name is the name of the handler in logs and metrics. Required.
	Name string

	// Path is the file. Required.
	Path string

	// Framing divides streams into frames; see script.Script. Optional.
	Framing string

	// Guest has the settings of the script.
	Guest wasm.Config

	// CacheDir is where compiled code is kept. If zero, it is not.
	CacheDir string

	// Logger is the logger. If zero, slog.Default().
	Logger *slog.Logger

	// Guests and Versions are the metrics of guests and versions. If zero, each is an unregistered set.
	Guests   *wasm.Metrics
	Versions *rollout.Metrics
}

// ScriptFile is a handler in one file. A saved file is swapped in while devices are connected, as in a [Folder]; a
// broken one changes nothing.
type ScriptFile struct {
	*rollout.Module
	config  ScriptConfig
	log     *slog.Logger
	cancel  context.CancelFunc
	watched chan struct{} // closed after watching has ended
}

// OpenScript loads a script and watches its file from then on.
func OpenScript(ctx context.Context, c ScriptConfig) (*ScriptFile, error) {
	c.Logger = cmp.Or(c.Logger, slog.Default())
	files, contents, err := watch.Open(script.MaxSource, c.Path)
	if err != nil {
		return nil, err
	}
	m, err := rollout.New(rollout.Config{
		Name: c.Name, CacheDir: c.CacheDir, Logger: c.Logger, Guests: c.Guests, Metrics: c.Versions,
	})
	if err != nil {
		return nil, err
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &ScriptFile{
		Module: m, config: c, log: c.Logger.With("script", c.Path), cancel: cancel, watched: make(chan struct{}),
	}
	if err := s.swap(ctx, contents[0]); err != nil {
		cancel()
		return nil, errors.Join(err, m.Close(ctx))
	}
	go func() {
		defer close(s.watched)
		files.Watch(watching, watch.Options{Logger: s.log}, func(contents [][]byte, err error) {
			s.changed(watching, contents, err)
		})
	}()
	return s, nil
}

// swap makes source the serving version.
func (s *ScriptFile) swap(ctx context.Context, source []byte) error {
	module, err := moduleOf(s.config.Path, s.config.Framing, source)
	if err != nil {
		return err
	}
	guest := s.config.Guest
	guest.Module = module
	return s.Swap(ctx, guest, rollout.SwapOptions{})
}

// changed swaps the new contents of the file in.
func (s *ScriptFile) changed(ctx context.Context, contents [][]byte, err error) {
	if err == nil {
		err = s.swap(ctx, contents[0])
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("script rejected; the version before goes on", "error", err)
	}
}

// Close stops watching and closes all versions. All connections must have ended.
func (s *ScriptFile) Close(ctx context.Context) error {
	s.cancel()
	<-s.watched
	if err := s.Module.Close(ctx); err != nil {
		return fmt.Errorf("closing the script %s: %w", s.config.Path, err)
	}
	return nil
}
