package service

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// listen opens the socket of the setting key.
func (s *Service) listen(ctx context.Context, key, bind string) (net.Listener, error) {
	l, err := s.opener.For(key).Listen(ctx, "tcp", bind, nil)
	if err != nil {
		return nil, cannotListen(s.config(), key, bind, err)
	}
	return l, nil
}

// cannotListen explains why the socket at bind could not be opened.
func cannotListen(cfg *config.Config, key, bind string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return cfg.Problem(key, "%s is in use: stop the other program, or choose another address", bind)
	}
	if errors.Is(err, syscall.EACCES) && !strings.HasPrefix(bind, "unix:") {
		return cfg.Problem(key, "this user may not listen on %s: choose a port above 1023, or grant "+
			"CAP_NET_BIND_SERVICE", bind)
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return cfg.Problem(key, "cannot listen on %s: %v: no network interface of this machine has this address", bind,
			cause(err))
	}
	return cfg.Problem(key, "cannot listen on %s: %v", bind, cause(err))
}

// cause strips the operation and the address, which the message already has, from err.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
