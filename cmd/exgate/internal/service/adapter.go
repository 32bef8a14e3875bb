package service

import (
	"context"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/tlsfiles"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// adapter is the gRPC service that remote handlers call back.
type adapter struct {
	*remote.Adapter
	metrics *remote.Metrics
	served  chan struct{}
}

// adapterConnections is the number of handler connections that use the file descriptors reserved for the gateway.
const adapterConnections = 16

// startAdapter serves the adapter, once, if a listener of cfg has a gRPC handler.
func (s *Service) startAdapter(ctx context.Context, cfg *config.Config) error {
	if s.adapter != nil || !cfg.HasGRPC() {
		return nil
	}
	l, err := s.listen(ctx, "adapter.bind", s.config().Adapter.Bind)
	if err != nil {
		return err
	}
	a := &adapter{metrics: remote.NewMetrics(s.registry), served: make(chan struct{})}
	if a.Adapter, err = s.newAdapter(a.metrics); err != nil {
		_ = l.Close()
		return err
	}
	go func() {
		defer close(a.served)
		if err := a.Serve(s.files.Listener(l, adapterConnections)); err != nil {
			s.log.Error("the adapter stopped", "error", err)
		}
	}()
	s.adapter = a
	s.sockets = append(s.sockets, Socket{Name: "adapter", Kind: "grpc", Addr: l.Addr()})
	s.stops = append(s.stops, a.stop)
	return nil
}

// newAdapter creates the adapter as configured.
func (s *Service) newAdapter(metrics *remote.Metrics) (*remote.Adapter, error) {
	of := s.config().Adapter
	cfg := remote.AdapterConfig{
		Node: s.gateway.Node(), MaxConnections: of.MaxConnections, RawPublishTopics: of.RawPublishTopics, Logger: s.log,
		Metrics: metrics.Adapter,
	}
	var err error
	if of.RawPublish {
		if cfg.RawPublisher, err = s.rawPublisher(); err != nil {
			return nil, err
		}
	}
	if s.config().Said("adapter.tls") {
		if cfg.TLS, err = tlsfiles.Server(of.TLS); err != nil {
			return nil, s.config().Problem("adapter.tls", "%v", err)
		}
	}
	if cfg.Peers, err = s.peers(of.Peers); err != nil {
		return nil, err
	}
	a, err := remote.NewAdapter(cfg)
	if err != nil {
		return nil, s.config().Problem("adapter", "%v", err)
	}
	return a, nil
}

// rawPublisher returns a publisher that uses the gateway's own account.
func (s *Service) rawPublisher() (*gateway.RawPublisher, error) {
	of := s.config().Upstream
	password, err := readToken(s.config(), "upstream.password_file", of.PasswordFile)
	if err != nil {
		return nil, err
	}
	return s.gateway.NewRawPublisher(upstreamName,
		gateway.ClientInfo{ClientID: "exgate-" + s.gateway.Node(), Username: of.Username}, password), nil
}

// stop stops the adapter after the gateway, because handlers may call it until their last connection is closed.
func (a *adapter) stop(ctx context.Context) error {
	err := a.Stop(ctx)
	<-a.served
	return err
}

// peers returns the other gateways behind the same adapter address.
func (s *Service) peers(of config.Peers) (cfg remote.PeersConfig, err error) {
	cfg.Nodes, cfg.DNS = of.Nodes, of.DNS
	if cfg.Token, err = readToken(s.config(), "adapter.peers.token_file", of.TokenFile); err != nil ||
		!s.config().Said("adapter.peers.tls") {
		return cfg, err
	}
	if cfg.TLS, err = tlsfiles.Client(of.TLS); err != nil {
		return cfg, s.config().Problem("adapter.peers.tls", "%v", err)
	}
	return cfg, nil
}
