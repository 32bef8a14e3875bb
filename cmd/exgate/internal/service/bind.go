package service

import (
	"context"
	"errors"
	"net"
	"strings"
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
	if errors.Is(err, syscall.EACCES) && !strings.HasPrefix(bind, "unix:") {
		return cfg.Problem(key, "this user may not listen at %s: choose a port above 1023, or allow it with CAP_NET_BIND_SERVICE", bind)
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return cfg.Problem(key, "cannot listen at %s: %v: no network interface of this machine has it", bind, cause(err))
	}
	return cfg.Problem(key, "cannot listen at %s: %v", bind, cause(err))
}

// cause is err without the operation and the address, which the message around it has.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
