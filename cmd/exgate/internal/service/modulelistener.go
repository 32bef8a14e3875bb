package service

import (
	"context"
	"fmt"
	"net"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/modules"
)

// listenForModule opens a module's own listener.
func (s *Service) listenForModule(ctx context.Context, name string, m *config.Module) (net.Addr, func() error, error) {
	if _, ok := s.config().Listeners[name]; ok {
		return nil, nil, fmt.Errorf("the configuration already has a listener %s", name)
	}
	l := *s.listeners
	l.cfg, l.module = m.Listening(), name
	o, err := l.prepare(ctx, name, m.Listener, modules.Handler(name), nil)
	if err == nil {
		err = o.serve()
	}
	if err != nil {
		return nil, nil, err
	}
	return o.held.Addr(), func() error {
		s.opened.remove(name)
		return o.detach()
	}, nil
}
