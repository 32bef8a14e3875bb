package service

import (
	"context"
	"errors"
	"net"

	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/runtime/gateway"
)

// startUpstream gives the gateway its connector. The gateway closes it.
func (s *Service) startUpstream(context.Context) error {
	connector, err := s.connector()
	if err != nil {
		return err
	}
	return s.gateway.SetConnector(upstreamName, connector)
}

func (s *Service) connector() (gateway.Connector, error) {
	if url := s.cfg.Upstream.URL; url != "" {
		c, err := mqtt.New(mqtt.Config{URL: url, Logger: s.log, Metrics: mqtt.NewMetrics(s.registry)})
		if err != nil {
			return nil, s.cfg.Problem("upstream.url", "%v", err)
		}
		return c, nil
	}
	cfg := s.cfg.Upstream.Embedded
	b, err := embedded.New(embedded.Config{
		Bind: cfg.Bind, AuthFile: cfg.AuthFile, MaxClients: cfg.MaxClients, Logger: s.log, Metrics: embedded.NewMetrics(s.registry),
	})
	if err != nil {
		return nil, s.brokerFailed(cfg.Bind, err)
	}
	s.sockets = append(s.sockets, Socket{Name: "broker", Kind: "mqtt", Addr: b.Addr()})
	return b, nil
}

func (s *Service) brokerFailed(bind string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return s.cannotListen("upstream.embedded.bind", bind, err)
	}
	return s.cfg.Problem("upstream.embedded", "%v", err)
}
