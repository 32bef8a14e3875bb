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

// ready returns nil while new devices are served: the gateway has started, is not stopping, and can reach the broker.
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

// BrokerReachable returns nil if the broker is reachable, or why it is not. The embedded broker always is. It waits for
// the first attempt until ctx ends.
func (s *Service) BrokerReachable(ctx context.Context) error {
	if s.upstream.elsewhere == nil {
		return nil
	}
	if err := s.upstream.elsewhere.Reachable(ctx); err != nil {
		return fmt.Errorf("cannot reach the broker (upstream.url): %w", err)
	}
	return nil
}

// watchUpstream exports whether the broker is reachable as a metric.
func (s *Service) watchUpstream() {
	s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "exgate_upstream_up", Help: "1 while the broker is reachable, otherwise 0. The embedded " +
			"broker always is.",
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
