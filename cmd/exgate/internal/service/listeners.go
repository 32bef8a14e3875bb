package service

import (
	"cmp"
	"context"
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
	module  string // the module whose file configures them; empty for the main configuration
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
	for _, name := range s.config().Names() {
		cfg := s.config().Listeners[name]
		handler, err := s.handlers.add(ctx, name, "listeners."+name+".handler", cfg.Handler)
		if err != nil {
			return err
		}
		l, err := s.listeners.prepare(ctx, name, cfg, handler, nil)
		if err != nil {
			return err
		}
		if err := l.serve(); err != nil {
			return err
		}
	}
	return nil
}

func newListeners(s *Service) *listeners {
	return &listeners{
		service: s, cfg: s.config(), metrics: newListenerMetrics(s.registry),
		total: admission.NewTotalLimit(s.config().MaxConnections),
	}
}

// prepare opens the listener name, whose handler is registered in the gateway as handler, without serving it. It keeps
// the limits, counts and bans of before, the same listener as it is served now, if that is not nil.
func (l *listeners) prepare(
	ctx context.Context, name string, cfg config.Listener, handler string, before *openListener,
) (_ *openListener, err error) {
	o := &openListener{
		service: l.service, name: name, cfg: cfg, handler: handler, module: l.module, files: filesOf(cfg.Handler),
	}
	defer func() {
		if err != nil {
			_ = o.end(ctx)
		}
	}()
	if o.wiring, err = l.wire(ctx, o, false); err != nil {
		return nil, err
	}
	if o.list, err = l.access(name, cfg); err != nil {
		return nil, err
	}
	if before != nil {
		o.admission = before.admission
	} else if o.admission, err = l.admission(name, cfg, o.list.rules); err != nil {
		return nil, err
	}
	socket, err := l.open(ctx, name, cfg, o.admission)
	if err != nil {
		return nil, l.cannotOpen("listeners."+name, cfg, err)
	}
	o.held = newHeldListener(socket, l.service.start)
	return o, nil
}

// wire makes the wiring of a listener in the gateway, with new taps unless it keeps those that it has.
func (l *listeners) wire(ctx context.Context, o *openListener, keepTaps bool) (gateway.ListenerConfig, error) {
	wiring := l.wiring(o.cfg)
	wiring.Handler = o.handler
	connector, err := l.service.upstream.connector(ctx, "listeners."+o.name, o.cfg, l.cfg)
	if err != nil {
		return wiring, err
	}
	if !keepTaps {
		if o.taps, err = l.service.taps.add(ctx, o.name, o.cfg, l.cfg); err != nil {
			return wiring, err
		}
	}
	wiring.Connector, wiring.NewHandler = connector, o.taps.newHandler
	return wiring, nil
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
	if message, ok := CheckFiles(l.service.config()); ok {
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
