package service

import (
	"context"
	"errors"
	"sync"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/connectors/mqtt"
)

// The names of the connectors in the gateway: one for devices with their own session or at the embedded broker, and one
// for devices that share connections.
const (
	upstreamName = "upstream"
	sharedName   = upstreamName + "/shared"
)

// upstream connects the gateway to the broker.
type upstream struct {
	service   *Service
	elsewhere *mqtt.Connector // nil with the embedded broker
	metrics   *access.Metrics

	mu     sync.Mutex
	shared *authentication // of the connector sharedName; nil without one; guarded by mu
}

// startUpstream registers the connectors with the gateway, which closes them.
func (s *Service) startUpstream(ctx context.Context) error {
	if !s.config().Upstream.Elsewhere() {
		return s.startEmbedded(ctx)
	}
	cfg, err := s.mqttConfig()
	if err != nil {
		return err
	}
	if folder := s.config().Upstream.Spool.Folder; folder != "" {
		if err := (Folder{"upstream.spool.folder", folder}).Check(s.config()); err != nil {
			return err
		}
	}
	cfg.Metrics = mqtt.NewMetrics(s.registry)
	c, err := mqtt.New(cfg)
	if err != nil {
		return s.config().Problem("upstream", "%v", err)
	}
	if err := s.gateway.SetConnector(upstreamName, c); err != nil {
		return err
	}
	s.upstream.elsewhere, s.upstream.metrics = c, access.NewMetrics(s.registry)
	s.stops = append(s.stops, s.upstream.stop)
	if s.config().HasShared() {
		err = s.upstream.share(ctx)
	}
	s.watchUpstream()
	return err
}

// startEmbedded starts the broker inside the gateway.
func (s *Service) startEmbedded(ctx context.Context) error {
	cfg := s.config().Upstream.Embedded
	l, err := s.listen(ctx, "upstream.embedded.bind", cfg.Bind)
	if err != nil {
		return err
	}
	broker := embedded.Config{
		Listener: s.files.Listener(l, 0), MaxClients: cfg.MaxClients, Logger: s.log,
		Metrics: embedded.NewMetrics(s.registry),
	}
	if cfg.AuthFile != "" {
		file, end, err := s.authFile("upstream.embedded.auth_file", cfg.AuthFile)
		if err != nil {
			_ = l.Close()
			return err
		}
		s.stops = append(s.stops, func(context.Context) error {
			end()
			return nil
		})
		broker.Authenticator, broker.ACL = file, file
	}
	b, err := embedded.New(broker)
	if err != nil {
		_ = l.Close()
		return s.config().Problem("upstream.embedded", "%v", err)
	}
	s.sockets = append(s.sockets, Socket{Name: "broker", Kind: "mqtt", Addr: b.Addr()})
	s.watchUpstream()
	return s.gateway.SetConnector(upstreamName, b)
}

// connector returns the name of the connector for the listener at key in settings.
func (u *upstream) connector(
	ctx context.Context, key string, l config.Listener, settings *config.Config,
) (string, error) {
	if !u.service.config().SharedSession(l) {
		return upstreamName, nil
	}
	if u.elsewhere == nil { // possible only in the settings file of a module
		return "", settings.Problem(key+".session", "shared needs upstream.url in the configuration")
	}
	return sharedName, u.share(ctx)
}

// share registers the connector for devices that share connections, once.
func (u *upstream) share(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.shared != nil {
		return nil
	}
	s, of := u.service, u.service.config().Upstream
	asked, err := s.authentication(u.elsewhere.Probe())
	if err != nil {
		return err
	}
	c, err := u.elsewhere.Shared(mqtt.SharedConfig{
		Connections: of.Connections, Authenticator: asked.chain, ACL: asked.rules,
	})
	if err != nil {
		asked.close()
		return s.config().Problem("upstream", "%v", err)
	}
	if err := s.gateway.SetConnector(sharedName, c); err != nil {
		asked.close()
		return errors.Join(err, c.Close(ctx))
	}
	u.shared = asked
	return nil
}

// stop stops the authenticators, which the gateway's connectors do not.
func (u *upstream) stop(context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.shared != nil {
		u.shared.close()
	}
	return nil
}

// isShared reports whether any devices share connections.
func (u *upstream) isShared() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.shared != nil
}
