package service

import (
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// listen opens the socket that the setting key names.
func (s *Service) listen(ctx context.Context, key, bind string) (net.Listener, error) {
	l, err := s.opener.For(key).Listen(ctx, "tcp", bind, nil)
	if err != nil {
		return nil, cannotListen(s.cfg, key, bind, err)
	}
	return l, nil
}

// cannotListen says why the socket at bind could not be opened, and which setting to change.
func cannotListen(cfg *config.Config, key, bind string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return cfg.Problem(key, "%s is in use: stop the program that listens there, or choose another address", bind)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return cfg.Problem(key, "cannot listen at %s: %v", bind, err)
}
