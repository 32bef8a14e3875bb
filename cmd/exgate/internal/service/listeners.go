package service

import (
	"cmp"
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
	service *Service
	cfg     *config.Config // that says what they are
	metrics *listener.Metrics
	total   *listener.TotalLimit
	module  string                            // of whose file they are; empty for those of the configuration
	onStop  func(func(context.Context) error) // takes what ends after them
}

// startListeners opens the sockets of devices, last of all: whoever connects is served.
func (s *Service) startListeners(ctx context.Context) error {
	s.listeners.checkFiles()
	for _, name := range s.cfg.Names() {
		cfg := s.cfg.Listeners[name]
		handler, err := s.handlers.add(ctx, name, "listeners."+name+".handler", cfg.Handler)
		if err != nil {
			return err
		}
		held, err := s.listeners.start(ctx, name, cfg, handler)
		if err != nil {
			return err
		}
		s.sockets = append(s.sockets, Socket{Name: name, Kind: cfg.Kind(), Addr: held.Addr(), Note: describe(cfg.Handler)})
	}
	return nil
}

func newListeners(s *Service) *listeners {
	return &listeners{
		service: s, cfg: s.cfg, metrics: listener.NewMetrics(s.registry), total: listener.NewTotalLimit(s.cfg.MaxConnections),
		onStop: func(stop func(context.Context) error) { s.stops = append(s.stops, stop) },
	}
}

// start opens the listener name for the handler that the gateway knows under the name handler.
func (l *listeners) start(ctx context.Context, name string, cfg config.Listener, handler string) (*heldListener, error) {
	s, key := l.service, "listeners."+name
	admission, err := l.admission(name, cfg)
	if err != nil {
		return nil, err
	}
	taps, err := s.taps.add(ctx, name, cfg, l.cfg)
	if err != nil {
		return nil, err
	}
	l.onStop(taps.close)
	socket, err := l.open(ctx, name, cfg, admission)
	if err != nil {
		return nil, l.cannotOpen(key, cfg, err)
	}
	held := s.hold(socket)
	err = s.gateway.AddListener(name, held, gateway.ListenerConfig{
		Handler: handler, Connector: upstreamName, Limits: cfg.Gateway(),
		Module: cmp.Or(l.module, cfg.Handler.ModuleName()), Mountpoint: cfg.Mountpoint,
		PublishTopics: cfg.PublishTopics, SubscribeTopics: cfg.SubscribeTopics,
		ListenerBytesPerSecond: cfg.BytesPerSecond, ListenerMessagesPerSecond: float64(cfg.MessagesPerSecond),
		NewHandler: taps.newHandler,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting listener %s: %w", name, err), socket.Close())
	}
	return held, nil
}

// describe names a handler for a person.
func describe(h config.Handler) string {
	if len(h.GRPC) > 0 {
		return "grpc " + strings.Join(h.GRPC, ", ")
	}
	if h.Module != "" {
		return "module " + h.Module
	}
	return "wasm " + h.Wasm
}

// checkFiles says whether the system lets the process have the connections that the configuration allows. A device takes two descriptors where it has
// a session of its own at a broker elsewhere.
func (l *listeners) checkFiles() {
	want := l.service.cfg.MostConnections()
	if l.service.cfg.Upstream.Elsewhere() {
		want *= 2
	}
	if message, ok := listener.CheckFiles(want); ok {
		l.service.log.Info(message)
	} else {
		l.service.log.Warn(message)
	}
}
