package service

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/exgate/exgate/runtime/admin"
)

// metricsConnections bounds the connections to the metrics port. They use reserved descriptors, at most half of them.
const metricsConnections = 24

// startMetrics serves /metrics, /healthz and /readyz if metrics.bind is set.
func (s *Service) startMetrics(ctx context.Context) error {
	bind := s.config().Metrics.Bind
	if bind == "" {
		return nil
	}
	l, err := s.listen(ctx, "metrics.bind", bind)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           admin.Handler(s.registry, s.ready),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	most := func() int { return s.files.Spare(metricsConnections) }
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(newLatest(l, most)); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the metrics server stopped", "error", err)
		}
	}()
	s.sockets = append(s.sockets, Socket{Name: "metrics", Kind: "http", Addr: l.Addr()})
	stop := func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if err != nil {
			_ = server.Close()
		}
		<-served
		return err
	}
	s.stops = append(s.stops, stop)
	s.leaves = append(s.leaves, stop)
	return nil
}
