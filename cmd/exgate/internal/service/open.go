package service

import (
	"context"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// open opens the socket of a listener.
func (l *listeners) open(ctx context.Context, _ string, cfg config.Listener, _ *listener.Admission) (gateway.Listener, error) {
	return listener.ListenTCP(ctx, listener.TCPConfig{Bind: cfg.Bind, KeepAlive: cfg.Socket.KeepAlive, Logger: l.service.log, Metrics: l.metrics})
}

// cannotOpen says which setting keeps a listener from being opened.
func (s *Service) cannotOpen(key string, cfg config.Listener, err error) error {
	return s.cannotListen(key+".bind", cfg.Bind, err)
}
