package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	errStarting = errors.New("the gateway is starting")
	errStopping = errors.New("the gateway is stopping")
)

// ready returns nil while devices that connect are served: the gateway has started, does not stop, and can reach the broker.
func (s *Service) ready() error {
	switch {
	case s.stopping.Load():
		return errStopping
	case !s.started():
		return errStarting
	}
	already, cancel := context.WithCancel(context.Background())
	cancel()
	return s.BrokerReachable(already)
}

func (s *Service) started() bool {
	select {
	case <-s.start:
		return true
	default:
		return false
	}
}

// BrokerReachable returns nil if the broker can be reached, as the embedded one always can, and else why not. It waits for the first answer until ctx
// ends.
func (s *Service) BrokerReachable(ctx context.Context) error {
	if s.upstream.elsewhere == nil {
		return nil
	}
	if err := s.upstream.elsewhere.Reachable(ctx); err != nil {
		return fmt.Errorf("the broker cannot be reached (upstream.url): %w", err)
	}
	return nil
}

// watchUpstream shows in a metric whether the broker can be reached.
func (s *Service) watchUpstream() {
	s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "exgate_upstream_up", Help: "1 while the broker can be reached, otherwise 0. The embedded broker always can be.",
	}, func() float64 {
		already, cancel := context.WithCancel(context.Background())
		cancel()
		if s.BrokerReachable(already) != nil {
			return 0
		}
		return 1
	}))
	if s.upstream.elsewhere != nil {
		s.upstream.elsewhere.Watch()
	}
}
