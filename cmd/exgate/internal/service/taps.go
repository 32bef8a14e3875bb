package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/modules"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/capture"
	"github.com/exgate/exgate/runtime/tap/shadow"
	"github.com/exgate/exgate/runtime/wasm"
)

// taps holds the captures and shadows of listeners.
type taps struct {
	service  *Service
	captures *capture.Metrics
	shadows  *shadow.Metrics

	mu     sync.Mutex // guards points
	points map[string]*capture.Point
}

func newTaps(s *Service) *taps {
	return &taps{
		service: s, captures: capture.NewMetrics(s.registry), shadows: shadow.NewMetrics(s.registry),
		points: make(map[string]*capture.Point),
	}
}

// listenerTaps holds the capture and the shadow of one listener.
type listenerTaps struct {
	taps   *taps
	name   string
	point  *capture.Point
	shadow *shadow.Shadow // nil if the listener has no shadow
}

// add taps the listener name of settings. Call set when it is served, and close with the listener.
func (t *taps) add(
	ctx context.Context, name string, cfg config.Listener, settings *config.Config,
) (*listenerTaps, error) {
	kind, source := "wasm", describe(cfg.Handler)
	switch {
	case len(cfg.Handler.GRPC) > 0:
		kind = "grpc"
	case !cfg.Handler.There(): // the listener of a module's settings file
		source = "module " + name
	}
	if folder := cfg.Capture.Folder; folder != "" {
		if err := (Folder{"listeners." + name + ".capture.folder", folder}).Check(settings); err != nil {
			return nil, err
		}
	}
	point, err := capture.New(capture.Config{
		Listener: name, Handler: kind, Source: source, Exgate: t.service.version, Folder: cfg.Capture.Recorder(),
		Logger: t.service.log, Metrics: t.captures,
	})
	if err != nil {
		return nil, settings.Problem("listeners."+name+".capture", "%v", err)
	}
	l := &listenerTaps{taps: t, name: name, point: point}
	if l.shadow, err = t.shadow(ctx, name, cfg.Handler, settings); err != nil {
		return nil, errors.Join(err, point.Close(ctx))
	}
	return l, nil
}

// newHandler implements gateway.ListenerConfig.NewHandler.
func (l *listenerTaps) newHandler(
	f gateway.HandlerFactory, conn gateway.ConnectionAdapter,
) (gateway.ConnectionHandler, error) {
	if l.shadow != nil {
		f = tap.Around(f, l.shadow)
	}
	return l.point.NewHandler(f, conn)
}

func (l *listenerTaps) close(ctx context.Context) error {
	l.taps.forget(l.name, l.point)
	err := l.point.Close(ctx)
	if l.shadow != nil {
		err = errors.Join(err, l.shadow.Close(ctx))
	}
	return err
}

// set makes the listener's capture point the one that captures of its name use.
func (l *listenerTaps) set() {
	l.taps.mu.Lock()
	defer l.taps.mu.Unlock()
	l.taps.points[l.name] = l.point
}

// forget removes p, unless the listener has another one by now.
func (t *taps) forget(name string, p *capture.Point) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.points[name] == p {
		delete(t.points, name)
	}
}

// shadow creates the shadow of a listener, or returns nil if it has none.
func (t *taps) shadow(
	ctx context.Context, name string, cfg config.Handler, settings *config.Config,
) (*shadow.Shadow, error) {
	if !cfg.Shadow.There() {
		return nil, nil
	}
	key := "listeners." + name + ".handler.shadow"
	factory, err := t.shadowFactory(ctx, name, key, cfg, settings)
	if err != nil {
		return nil, err
	}
	s, err := shadow.New(shadow.Config{
		Name: name, Factory: factory, Sample: float64(cfg.Shadow.Sample), Posts: len(cfg.GRPC) == 0,
		Logger: t.service.log, Metrics: t.shadows,
	})
	if err != nil {
		return nil, errors.Join(settings.Problem(key, "%v", err), factory.Close(ctx))
	}
	return s, nil
}

// shadowFactory returns the factory of shadow handlers: a module file with the settings of the handler, or a module of
// the folder with its own.
func (t *taps) shadowFactory(ctx context.Context, name, key string, cfg config.Handler,
	settings *config.Config,
) (gateway.HandlerFactory, error) {
	s := t.service
	if cfg.Shadow.Module != "" {
		f, err := s.gateway.Lend(modules.Handler(cfg.Shadow.Module))
		if err != nil {
			return nil, settings.Problem(key+".module", "%v", err)
		}
		return f, nil
	}
	cfg.Wasm, cfg.Script = cfg.Shadow.Wasm, ""
	module, err := module(cfg)
	if err != nil {
		return nil, settings.Problem(key+".wasm", "%v", err)
	}
	guest := cfg.Guest()
	guest.Name, guest.Module, guest.CacheDir, guest.Logger, guest.Metrics = name+"/shadow", module,
		settings.ModulesCache, s.log, s.handlers.wasm
	engine, err := wasm.New(ctx, guest)
	if err != nil {
		return nil, settings.Problem(key+".wasm", "%v", moduleError(cfg.Wasm, guest.Name, err))
	}
	return engine, nil
}

// Point returns the capture point of the listener name.
func (s *Service) Point(name string) (*capture.Point, error) {
	s.taps.mu.Lock()
	defer s.taps.mu.Unlock()
	if p := s.taps.points[name]; p != nil {
		return p, nil
	}
	names := make([]string, 0, len(s.taps.points))
	for known := range s.taps.points {
		names = append(names, known)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("unknown listener %q; the listeners are %s", name, strings.Join(names, ", "))
}
