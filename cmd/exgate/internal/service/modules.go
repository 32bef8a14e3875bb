package service

import (
	"context"

	"github.com/exgate/exgate/cmd/exgate/internal/modules"
)

// startModules loads the modules folder, if one is configured, and watches it until the service stops.
func (s *Service) startModules(ctx context.Context) error {
	if s.config().Modules == "" {
		return nil
	}
	var needed []string
	for _, name := range s.config().Names() {
		needed = append(needed, s.config().Listeners[name].Handler.Module)
	}
	folder, err := modules.Open(ctx, modules.Config{
		Path: s.config().Modules, Gateway: s.gateway, Listen: s.listenForModule, CacheDir: s.config().ModulesCache,
		Logger: s.log, Guests: s.handlers.wasm, Versions: s.handlers.versions, Metrics: modules.NewMetrics(s.registry),
		Needed: needed,
	})
	if err != nil {
		return s.config().Problem("modules", "%v", err)
	}
	s.modules = folder
	for _, m := range folder.List() {
		if m.Listener != nil {
			s.sockets = append(s.sockets, Socket{
				Name: m.Name, Kind: m.Kind, Addr: m.Listener,
				Note: "module " + m.Name,
			})
		}
	}
	return nil
}

// stopModules stops watching the folder. It is called before the gateway stops, and may be called twice.
func (s *Service) stopModules(ctx context.Context) error {
	if s.modules == nil {
		return nil
	}
	return s.modules.Close(ctx)
}

// Modules returns the modules of the folder, or none if no folder is configured.
func (s *Service) Modules() []modules.Status {
	if s.modules == nil {
		return nil
	}
	return s.modules.List()
}

// named returns the name of a module of the folder in the gateway, or why the module is not active.
func (h *handlers) named(ctx context.Context, key, name string) (string, error) {
	s := h.service
	s.modules.Wait(ctx, name)
	m, ok := s.modules.Find(name)
	switch {
	case !ok:
		return "", h.cfg.Problem(key, "module %s disappeared from %s while the gateway was starting", name,
			h.cfg.Modules)
	case len(m.Module.Versions) == 0:
		return "", h.cfg.Problem(key, "module %s is %s: %s", name, m.State, m.Reason)
	}
	return modules.Handler(name), nil
}
