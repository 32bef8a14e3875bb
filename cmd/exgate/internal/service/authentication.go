package service

import (
	"context"
	"crypto/tls"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/tlsfiles"
	"github.com/exgate/exgate/connectors/access"
)

// authentication authenticates and authorizes devices that share connections to the broker.
type authentication struct {
	service *Service
	metrics *access.Metrics
	chain   access.Chain
	rules   access.ACL // used if the chain returns no rules; nil allows everything
	ends    []func()
}

// authentication builds the configured chain. broker asks the broker itself.
func (s *Service) authentication(broker access.Authenticator) (*authentication, error) {
	a := &authentication{service: s, metrics: s.upstream.metrics}
	for _, name := range s.config().Upstream.Authentication.Asked() {
		link, err := a.link(name, broker)
		if err != nil {
			a.close()
			return nil, err
		}
		a.chain = append(a.chain, access.Link{Name: name, Authenticator: a.metrics.Measure(name, link)})
	}
	if rules := s.config().Upstream.Authentication.Rules; rules != "" {
		file, err := a.file("upstream.authentication.rules", rules)
		if err != nil {
			a.close()
			return nil, err
		}
		a.rules = file
	}
	return a, nil
}

func (a *authentication) link(name string, broker access.Authenticator) (access.Authenticator, error) {
	switch of := a.service.config().Upstream.Authentication; name {
	case "file":
		return a.file("upstream.authentication.file", of.File)
	case "http":
		return a.byURL(of.HTTP)
	case "jwt":
		return a.byJWT(of.JWT)
	case "broker":
		return broker, nil
	case "allow":
		return access.Everybody(), nil
	}
	panic("internal error: unknown authenticator " + name)
}

func (a *authentication) file(key, name string) (*access.File, error) {
	file, end, err := a.service.authFile(key, name)
	if err != nil {
		return nil, err
	}
	a.ends = append(a.ends, end)
	return file, nil
}

// authFile loads the file of a setting and reloads it when it changes, until end is called.
func (s *Service) authFile(key, name string) (file *access.File, end func(), err error) {
	if file, err = access.LoadFile(name); err != nil {
		return nil, nil, s.config().Problem(key, "%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		file.Watch(ctx, s.log)
	}()
	return file, func() {
		cancel()
		<-done
	}, nil
}

func (a *authentication) byURL(of config.AuthByURL) (access.Authenticator, error) {
	const key = "upstream.authentication.http"
	cfg := access.HTTPConfig{URL: of.URL, Timeout: of.Timeout, CacheTTL: of.Cache, Metrics: a.metrics}
	var err error
	if of.HeadersFile != "" {
		if cfg.Headers, err = config.ReadHeaders(of.HeadersFile); err != nil {
			return nil, a.service.config().Problem(key+".headers_file", "%v", err)
		}
	}
	if cfg.TLS, err = a.tls(key+".tls", of.TLS); err != nil {
		return nil, err
	}
	h, err := access.NewHTTP(cfg)
	if err != nil {
		return nil, a.service.config().Problem(key, "%v", err)
	}
	a.ends = append(a.ends, h.Close)
	return h, nil
}

func (a *authentication) byJWT(of config.AuthByJWT) (access.Authenticator, error) {
	const key = "upstream.authentication.jwt"
	cfg := of.Verifier()
	cfg.Logger = a.service.log
	var err error
	if cfg.TLS, err = a.tls(key+".tls", of.TLS); err != nil {
		return nil, err
	}
	j, err := access.NewJWT(cfg)
	if err != nil {
		return nil, a.service.config().Problem(key, "%v", err)
	}
	a.ends = append(a.ends, j.Close)
	return j, nil
}

// tls returns nil if TLS is not configured.
func (a *authentication) tls(key string, of config.ClientTLS) (*tls.Config, error) {
	if !a.service.config().Said(key) {
		return nil, nil
	}
	cfg, err := tlsfiles.Client(of)
	if err != nil {
		return nil, a.service.config().Problem(key, "%v", err)
	}
	return cfg, nil
}

func (a *authentication) close() {
	for _, end := range a.ends {
		end()
	}
}
