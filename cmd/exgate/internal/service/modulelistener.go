package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/modules"
)

// moduleListener is a listener in the settings file of a module.
type moduleListener struct {
	service *Service
	name    string
	takes   bool // its connections when it is closed
	held    *heldListener
	ends    []func(context.Context) error // what to stop with it
}

// moduleListeners holds the open ones.
type moduleListeners struct {
	mu   sync.Mutex // guards open
	open map[string]*moduleListener
}

// listenForModule opens a module's own listener.
func (s *Service) listenForModule(ctx context.Context, name string, m *config.Module) (net.Addr, func() error, error) {
	if _, ok := s.cfg.Listeners[name]; ok {
		return nil, nil, fmt.Errorf("the configuration already has a listener %s", name)
	}
	own := &moduleListener{service: s, name: name, takes: m.Listener.Datagram() || m.Listener.Dials()}
	l := *s.listeners
	l.cfg, l.module = m.Listening(), name
	l.onStop = func(stop func(context.Context) error) { own.ends = append(own.ends, stop) }
	var err error
	if own.held, err = l.start(ctx, name, m.Listener, modules.Handler(name)); err != nil {
		return nil, nil, errors.Join(err, own.end(ctx))
	}
	s.ofModules.mu.Lock()
	defer s.ofModules.mu.Unlock()
	s.ofModules.open[name] = own
	return own.held.Addr(), own.detach, nil
}

// detachTimeout bounds the wait for accepted sockets that are not connections yet, and for devices that share a socket.
const detachTimeout = 10 * time.Second

// detach closes the listener. TCP and TLS connections stay; UDP and DTLS connections share the socket and end with it,
// and so do connections to targets, which the next listener may dial.
func (l *moduleListener) detach() error {
	ctx, cancel := context.WithTimeout(context.Background(), detachTimeout)
	defer cancel()
	s := l.service
	s.ofModules.mu.Lock()
	delete(s.ofModules.open, l.name)
	s.ofModules.mu.Unlock()
	if l.takes {
		return errors.Join(s.gateway.RemoveListener(ctx, l.name), l.held.end(ctx), l.end(ctx))
	}
	return errors.Join(l.held.Close(), l.held.attached(ctx), s.gateway.DetachListener(l.name), l.end(ctx))
}

func (l *moduleListener) end(ctx context.Context) (err error) {
	for _, end := range l.ends {
		err = errors.Join(err, end(ctx))
	}
	return err
}

// end stops what belongs to the open listeners.
func (a *moduleListeners) end(ctx context.Context) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.open {
		err = errors.Join(err, l.end(ctx))
	}
	clear(a.open)
	return err
}
