package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/certs"
	"github.com/exgate/exgate/runtime/listener/dial"
	"github.com/exgate/exgate/runtime/listener/dtls"
	"github.com/exgate/exgate/runtime/listener/udp"
	"github.com/exgate/exgate/runtime/listener/ws"
)

// listeners opens the sockets of devices.
type listeners struct {
	service *Service
	cfg     *config.Config // the configuration of the listeners
	metrics *listenerMetrics
	total   *admission.TotalLimit
	module  string                            // the module whose file configures them; empty for the main configuration
	onStop  func(func(context.Context) error) // registers what to stop after them
}

// listenerMetrics holds the metrics of all kinds of listeners.
type listenerMetrics struct {
	streams   *listener.Metrics
	admission *admission.Metrics
	certs     *certs.Metrics
	udp       *udp.Metrics
	dtls      *dtls.Metrics
	ws        *ws.Metrics
	dial      *dial.Metrics
}

func newListenerMetrics(reg prometheus.Registerer) *listenerMetrics {
	return &listenerMetrics{
		streams: listener.NewMetrics(reg), admission: admission.NewMetrics(reg),
		certs: certs.NewMetrics(reg),
		udp:   udp.NewMetrics(reg), dtls: dtls.NewMetrics(reg),
		ws: ws.NewMetrics(reg), dial: dial.NewMetrics(reg),
	}
}

// startListeners opens the sockets of devices. It runs last, because devices may connect at once.
func (s *Service) startListeners(ctx context.Context) error {
	s.files.Recount()
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
		s.sockets = append(s.sockets, Socket{
			Name: name, Kind: cfg.Kind(), Addr: held.Addr(),
			Note: describe(cfg.Handler),
		})
	}
	return nil
}

func newListeners(s *Service) *listeners {
	return &listeners{
		service: s, cfg: s.cfg, metrics: newListenerMetrics(s.registry),
		total:  admission.NewTotalLimit(s.cfg.MaxConnections),
		onStop: func(stop func(context.Context) error) { s.stops = append(s.stops, stop) },
	}
}

// start opens the listener name, whose handler is registered in the gateway as handler.
func (l *listeners) start(
	ctx context.Context, name string, cfg config.Listener, handler string,
) (*heldListener, error) {
	s, key := l.service, "listeners."+name
	connector, err := s.upstream.connector(ctx, key, cfg, l.cfg)
	if err != nil {
		return nil, err
	}
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
	wiring := l.wiring(cfg)
	wiring.Handler, wiring.Connector, wiring.NewHandler = handler, connector, taps.newHandler
	if err := s.gateway.AddListener(name, held, wiring); err != nil {
		return nil, errors.Join(fmt.Errorf("starting listener %s: %w", name, err), socket.Close())
	}
	return held, nil
}

// wiring converts the configuration of a listener to the gateway's type.
func (l *listeners) wiring(cfg config.Listener) gateway.ListenerConfig {
	return gateway.ListenerConfig{
		Module: cmp.Or(l.module, cfg.Handler.ModuleName()), Mountpoint: cfg.Mountpoint,
		PublishTopics: cfg.PublishTopics, SubscribeTopics: cfg.SubscribeTopics, Limits: cfg.Gateway(),
		ListenerBytesPerSecond: cfg.BytesPerSecond, ListenerMessagesPerSecond: float64(cfg.MessagesPerSecond),
	}
}

// describe describes a handler for the list of sockets.
func describe(h config.Handler) string {
	if len(h.GRPC) > 0 {
		return "grpc " + strings.Join(h.GRPC, ", ")
	}
	if h.Module != "" {
		return "module " + h.Module
	}
	return h.FileKey() + " " + h.File()
}

// checkFiles logs whether the limit on open files allows the configured number of connections.
func (l *listeners) checkFiles() {
	if message, ok := CheckFiles(l.service.cfg); ok {
		l.service.log.Info(message)
	} else {
		l.service.log.Warn(message)
	}
}

// CheckFiles returns whether this process may open as many files as the configured number of connections needs, and a
// message that says so. A device with its own session at an external broker needs two descriptors.
func CheckFiles(cfg *config.Config) (message string, ok bool) {
	want := cfg.MostConnections()
	if cfg.Upstream.Elsewhere() && !cfg.AllShared() {
		want *= 2
	}
	return admission.CheckFiles(want)
}
