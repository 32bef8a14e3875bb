package service

import (
	"context"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// adapter is the gRPC service that remote handlers call back.
type adapter struct {
	*remote.Adapter
	metrics *remote.Metrics
	served  chan struct{}
}

// startAdapter serves the adapter where a listener has a gRPC handler.
func (s *Service) startAdapter(ctx context.Context) error {
	if !s.cfg.HasGRPC() {
		return nil
	}
	l, err := s.listen(ctx, "adapter.bind", s.cfg.Adapter.Bind)
	if err != nil {
		return err
	}
	a := &adapter{metrics: remote.NewMetrics(s.registry), served: make(chan struct{})}
	cfg := remote.AdapterConfig{Logger: s.log, Metrics: a.metrics}
	if s.cfg.Adapter.RawPublish {
		cfg.RawPublisher = s.gateway.NewRawPublisher(upstreamName, gateway.ClientInfo{ClientID: "exgate-" + s.gateway.Node()}, "")
	}
	if a.Adapter, err = remote.NewAdapter(cfg); err != nil {
		_ = l.Close()
		return err
	}
	go func() {
		defer close(a.served)
		if err := a.Serve(l); err != nil {
			s.log.Error("adapter ended", "error", err)
		}
	}()
	s.adapter = a
	s.sockets = append(s.sockets, Socket{Name: "adapter", Kind: "grpc", Addr: l.Addr()})
	s.stops = append(s.stops, a.stop)
	return nil
}

// stop ends the adapter after the gateway: handlers call it, and publish that a device is gone, until their last connection is closed.
func (a *adapter) stop(ctx context.Context) error {
	err := a.Stop(ctx)
	<-a.served
	return err
}
