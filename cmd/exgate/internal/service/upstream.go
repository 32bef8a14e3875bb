package service

import (
	"context"

	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/runtime/gateway"
)

// startUpstream gives the gateway its connector. The gateway closes it.
func (s *Service) startUpstream(ctx context.Context) error {
	connector, err := s.connector(ctx)
	if err != nil {
		return err
	}
	return s.gateway.SetConnector(upstreamName, connector)
}

func (s *Service) connector(ctx context.Context) (gateway.Connector, error) {
	if s.cfg.Upstream.Elsewhere() {
		cfg, err := s.mqttConfig()
		if err != nil {
			return nil, err
		}
		c, err := mqtt.New(cfg)
		if err != nil {
			return nil, s.cfg.Problem("upstream", "%v", err)
		}
		return c, nil
	}
	cfg := s.cfg.Upstream.Embedded
	l, err := s.listen(ctx, "upstream.embedded.bind", cfg.Bind)
	if err != nil {
		return nil, err
	}
	b, err := embedded.New(embedded.Config{
		Listener: l, AuthFile: cfg.AuthFile, MaxClients: cfg.MaxClients, Logger: s.log, Metrics: embedded.NewMetrics(s.registry),
	})
	if err != nil {
		_ = l.Close()
		return nil, s.cfg.Problem("upstream.embedded", "%v", err)
	}
	s.sockets = append(s.sockets, Socket{Name: "broker", Kind: "mqtt", Addr: b.Addr()})
	return b, nil
}
