package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/modules"
	"github.com/exgate/exgate/runtime/wasm"
)

// startModules takes the modules of the folder, where the configuration has one, and watches it until the service stops.
func (s *Service) startModules(ctx context.Context) error {
	if s.cfg.Modules == "" {
		return nil
	}
	folder, err := modules.Open(ctx, modules.Config{
		Path: s.cfg.Modules, Gateway: s.gateway, Listen: s.listenForModule, CacheDir: s.cfg.ModulesCache, Logger: s.log,
		Guests: s.handlers.wasm, Versions: wasm.NewModuleMetrics(s.registry), Metrics: modules.NewMetrics(s.registry),
	})
	if err != nil {
		return s.cfg.Problem("modules", "%v", err)
	}
	s.modules = folder
	for _, m := range folder.List() {
		if m.Listener != nil {
			s.sockets = append(s.sockets, Socket{Name: m.Name, Kind: m.Kind, Addr: m.Listener, Note: "module " + m.Name})
		}
	}
	return nil
}

// stopModules ends the watching of the folder. It comes before the gateway stops, and may come twice.
func (s *Service) stopModules(ctx context.Context) error {
	if s.modules == nil {
		return nil
	}
	return s.modules.Close(ctx)
}

// Modules are the modules of the folder, none where the configuration has no folder.
func (s *Service) Modules() []modules.Status {
	if s.modules == nil {
		return nil
	}
	return s.modules.List()
}

// named returns the name that the gateway knows a module of the folder by, or why the module does not serve.
func (h *handlers) named(key, name string) (string, error) {
	s := h.service
	m, ok := s.modules.Find(name)
	switch {
	case !ok:
		return "", s.cfg.Problem(key, "module %s went from %s while the gateway started", name, s.cfg.Modules)
	case len(m.Module.Versions) == 0:
		return "", s.cfg.Problem(key, "module %s is %s: %s", name, m.State, m.Reason)
	}
	return modules.Handler(name), nil
}

// listenForModule opens a module's own listener.
func (s *Service) listenForModule(ctx context.Context, name string, m *config.Module) (net.Addr, func() error, error) {
	if _, ok := s.cfg.Listeners[name]; ok {
		return nil, nil, fmt.Errorf("the configuration has a listener %s already", name)
	}
	own := &moduleListener{service: s, name: name, datagram: m.Listener.Datagram()}
	l := *s.listeners
	l.cfg = m.Listening()
	l.onStop = func(stop func(context.Context) error) { own.ends = append(own.ends, stop) }
	at, err := l.start(ctx, name, m.Listener, modules.Handler(name))
	if err != nil {
		return nil, nil, errors.Join(err, own.end())
	}
	return at, own.detach, nil
}

// moduleListener is a listener that a module asked for.
type moduleListener struct {
	service  *Service
	name     string
	datagram bool
	ends     []func(context.Context) error // what ends with it
}

// datagramTimeout bounds the ending of devices that share a socket.
const datagramTimeout = 10 * time.Second

// detach closes the listener and leaves its connections, but for those over UDP and DTLS: they share the socket, and without them its address is free.
func (l *moduleListener) detach() error {
	if !l.datagram {
		return errors.Join(l.service.gateway.DetachListener(l.name), l.end())
	}
	ctx, cancel := context.WithTimeout(context.Background(), datagramTimeout)
	defer cancel()
	return errors.Join(l.service.gateway.RemoveListener(ctx, l.name), l.end())
}

func (l *moduleListener) end() (err error) {
	for _, end := range l.ends {
		err = errors.Join(err, end(context.Background()))
	}
	return err
}
