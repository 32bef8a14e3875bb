package service

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// listeners opens the sockets of devices.
type listeners struct {
	service  *Service
	handlers *handlers
	metrics  *listener.Metrics
	total    *listener.TotalLimit
}

// startListeners opens the sockets of devices, last of all: whoever connects is served.
func (s *Service) startListeners(ctx context.Context) error {
	l := &listeners{
		service: s, handlers: newHandlers(s), metrics: listener.NewMetrics(s.registry), total: listener.NewTotalLimit(s.cfg.MaxConnections),
	}
	l.checkFiles()
	for _, name := range s.cfg.Names() {
		if err := l.start(ctx, name, s.cfg.Listeners[name]); err != nil {
			return err
		}
	}
	return nil
}

func (l *listeners) start(ctx context.Context, name string, cfg config.Listener) error {
	s, key := l.service, "listeners."+name
	if err := l.handlers.add(ctx, name, key+".handler", cfg.Handler); err != nil {
		return err
	}
	admission, err := l.admission(name, cfg)
	if err != nil {
		return err
	}
	socket, err := l.open(ctx, name, cfg, admission)
	if err != nil {
		return s.cannotOpen(key, cfg, err)
	}
	err = s.gateway.AddListener(name, s.hold(socket), gateway.ListenerConfig{
		Handler: name, Connector: upstreamName, Mountpoint: cfg.Mountpoint, Limits: cfg.Gateway(),
		ListenerBytesPerSecond: cfg.BytesPerSecond, ListenerMessagesPerSecond: float64(cfg.MessagesPerSecond),
	})
	if err != nil {
		return errors.Join(fmt.Errorf("starting listener %s: %w", name, err), socket.Close())
	}
	s.sockets = append(s.sockets, Socket{Name: name, Kind: cfg.Kind(), Addr: socket.Addr(), Note: describe(cfg.Handler)})
	return nil
}

// describe names a handler for a person.
func describe(h config.Handler) string {
	if len(h.GRPC) > 0 {
		return "grpc " + strings.Join(h.GRPC, ", ")
	}
	return "wasm " + h.Wasm
}

// checkFiles says whether the system lets the process have the connections that the configuration allows. A device takes two descriptors where it has
// a session of its own at a broker elsewhere.
func (l *listeners) checkFiles() {
	want := l.service.cfg.MostConnections()
	if l.service.cfg.Upstream.URL != "" {
		want *= 2
	}
	if message, ok := listener.CheckFiles(want); ok {
		l.service.log.Info(message)
	} else {
		l.service.log.Warn(message)
	}
}
