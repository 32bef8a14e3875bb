package service

import (
	"cmp"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/tlsfiles"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// client creates the client of a handler service; key is the handler's key in the configuration.
func (h *handlers) client(name, key string, cfg config.Handler) (gateway.HandlerFactory, error) {
	s := h.service
	of := remote.ClientConfig{
		Name: name, Addresses: cfg.GRPC, StreamSets: cfg.StreamSets,
		Dialect:  cmp.Or(remote.Dialect(cfg.Dialect), remote.DialectAuto),
		MaxBatch: cfg.MaxBatch, CallTimeout: cfg.Timeout, MaxInFlight: cfg.MaxInFlight,
		MaxMessageSize: cfg.MaxMessageSize, OnFailure: remote.OnFailure(cfg.OnFailure), HoldTimeout: cfg.HoldTimeout,
		Logger: s.log, Metrics: s.adapter.metrics,
	}
	if err := h.secure(&of, key, cfg); err != nil {
		return nil, err
	}
	client, err := remote.NewClient(of, s.adapter.Adapter)
	if err != nil {
		return nil, h.cfg.Problem(key+".grpc", "%v", err)
	}
	return client, nil
}

// secure reads the certificates and tokens of the connection between the gateway and a handler service.
func (h *handlers) secure(of *remote.ClientConfig, key string, cfg config.Handler) (err error) {
	if h.cfg.Said(key + ".tls") {
		if of.TLS, err = tlsfiles.Client(cfg.TLS); err != nil {
			return h.cfg.Problem(key+".tls", "%v", err)
		}
	}
	if of.Token, err = readToken(h.cfg, key+".token_file", cfg.TokenFile); err != nil {
		return err
	}
	if of.AdapterToken, err = readToken(h.cfg, key+".adapter_token_file", cfg.AdapterTokenFile); err != nil {
		return err
	}
	return nil
}

// readToken reads the secret in a file, if one is named.
func readToken(cfg *config.Config, key, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	token, err := config.ReadToken(file)
	if err != nil {
		return "", cfg.Problem(key, "%v", err)
	}
	return token, nil
}
