package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/modules"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/sockets"
)

// Socket is a listening socket of a service.
type Socket struct {
	Name string // the name of the listener, or broker, adapter or metrics
	Kind string // tcp, mqtt, grpc, http and so on
	Addr net.Addr
	Note string // the handler of a listener
}

// Service is a running gateway.
type Service struct {
	current  atomic.Pointer[config.Config]
	log      *slog.Logger
	registry *prometheus.Registry
	version  string // of the program; may be empty
	gateway  *gateway.Gateway
	adapter  *adapter         // nil without gRPC handlers
	opener   *sockets.Sockets // nil if sockets are never handed over
	files    *admission.Descriptors
	start    chan struct{} // closed when devices are accepted
	stopping atomic.Bool   // Stop or Leave was called
	held     holding       // the sockets of devices
	sockets  []Socket

	upstream  upstream
	handlers  *handlers
	listeners *listeners
	taps      *taps
	modules   *modules.Folder // nil without a modules folder
	opened    openListeners

	stops  []func(context.Context) error // in the order of starting
	leaves []func(context.Context) error // stopped before connections, see Leave
}

// Start starts the gateway of cfg and returns when it accepts devices. If a setting is at fault, the error is a
// [config.Problem]. After an error nothing is left running.
func Start(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Service, error) {
	return TakeOver(ctx, cfg, log, Succession{})
}

// TakeOver is like Start, but may take over from another process as described by from.
func TakeOver(ctx context.Context, cfg *config.Config, log *slog.Logger, from Succession) (*Service, error) {
	s := newService(cfg, log, from)
	s.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "exgate_queued_bytes", Help: "Bytes queued for devices and handlers in all connections together " +
			"(max_queued_bytes).",
	}, func() float64 { return float64(s.gateway.QueuedBytes()) }))
	s.stops = append(s.stops, s.gateway.Shutdown)
	s.upstream.service = s
	s.handlers, s.listeners, s.taps = newHandlers(s), newListeners(s), newTaps(s)
	s.stops = append(s.stops, s.opened.end)
	steps := []func(context.Context) error{
		s.startUpstream, s.startState,
		func(ctx context.Context) error { return s.startAdapter(ctx, cfg) },
		s.startMetrics, s.startModules,
		s.startListeners, from.opened,
	}
	for _, start := range steps {
		if err := start(ctx); err != nil {
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
			defer cancel()
			return nil, errors.Join(err, s.Stop(stopping))
		}
	}
	close(s.start)
	return s, nil
}

// config returns the configuration that the service runs with.
func (s *Service) config() *config.Config { return s.current.Load() }

// Sockets returns the listening sockets, those of devices last, with actual ports.
func (s *Service) Sockets() []Socket {
	list := slices.Clone(s.sockets)
	for _, o := range s.opened.list() {
		list = append(list, Socket{
			Name: o.name, Kind: o.cfg.Kind(), Addr: o.held.Addr(), Note: describe(o.cfg.Handler),
		})
	}
	return list
}

// Stop stops the service: first the watching of modules, then the gateway and its connections as
// [gateway.Gateway.Shutdown] does, then what they used. When ctx ends, it cuts off what is left and names it in the
// error.
func (s *Service) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	errs := []error{s.stopModules(ctx)} // first, because it opens sockets
	for _, stop := range s.stops {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}
