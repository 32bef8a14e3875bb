// Package service runs a configured gateway: it makes what the configuration names, connects the parts, and stops them in order.
package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/modules"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// Socket is something that a service listens at.
type Socket struct {
	Name string // of the listener, or broker, adapter or metrics
	Kind string // the protocol spoken there: tcp, mqtt, grpc or http
	Addr net.Addr
	Note string // what devices of a listener are connected to
}

// Service is a running gateway.
type Service struct {
	cfg      *config.Config
	log      *slog.Logger
	registry *prometheus.Registry
	version  string // of the program, empty where nobody said it
	gateway  *gateway.Gateway
	adapter  *adapter          // nil without gRPC handlers
	opener   *listener.Sockets // nil where nobody hands sockets over
	files    *listener.Descriptors
	start    chan struct{} // closed when devices are accepted
	stopping atomic.Bool   // Stop or Leave was called
	held     holding       // the sockets of devices
	sockets  []Socket

	upstream  upstream
	handlers  *handlers
	listeners *listeners
	taps      *taps
	modules   *modules.Folder // nil without one
	ofModules moduleListeners

	stops  []func(context.Context) error // in the order of starting
	leaves []func(context.Context) error // what ends before connections do, see Leave
}

// Start makes the gateway of cfg and returns once it serves. An error of what cfg says is a [config.Problem] that names the place; then nothing is
// left running.
func Start(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Service, error) {
	return TakeOver(ctx, cfg, log, Succession{})
}

// TakeOver is Start for a service that may replace that of another process, as from says.
func TakeOver(ctx context.Context, cfg *config.Config, log *slog.Logger, from Succession) (*Service, error) {
	s := newService(cfg, log, from)
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "exgate_queued_bytes", Help: "Bytes that wait for devices and for handlers, in all connections together (max_queued_bytes).",
	}, func() float64 { return float64(s.gateway.QueuedBytes()) }))
	s.stops = append(s.stops, s.gateway.Shutdown)
	s.upstream.service = s
	s.handlers, s.listeners, s.taps = newHandlers(s), newListeners(s), newTaps(s)
	s.ofModules.open = make(map[string]*moduleListener)
	s.stops = append(s.stops, s.ofModules.end)
	steps := []func(context.Context) error{s.startUpstream, s.startAdapter, s.startMetrics, s.startModules, s.startListeners, from.opened}
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

// Sockets are what the service listens at, in the order of starting: with port 0 configured, here is the port.
func (s *Service) Sockets() []Socket { return s.sockets }

// Stop ends the service: first the watching of modules, then the gateway with its connections, as [gateway.Gateway.Shutdown] does, then what they used. ctx bounds the
// waiting; what has not ended then is cut off and named in the error.
func (s *Service) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	errs := []error{s.stopModules(ctx)} // first: it opens sockets
	for _, stop := range s.stops {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}
