package doctor

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"log/slog"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/tlsfiles"
	"github.com/exgate/exgate/connectors/access"
)

// authentication checks the authenticators that need a server. User files are read with the configuration.
func (c *checkup) authentication(ctx context.Context) []Finding {
	of := c.cfg.Upstream.Authentication
	var checks []func(context.Context) []Finding
	if of.HTTP.URL != "" {
		checks = append(checks, func(ctx context.Context) []Finding { return []Finding{c.authByURL(ctx, of.HTTP)} })
	}
	if c.cfg.Said("upstream.authentication.jwt") {
		checks = append(checks, func(ctx context.Context) []Finding { return []Finding{c.authByJWT(ctx, of.JWT)} })
	}
	return inOrder(ctx, checks)
}

// authByURL asks the service about a device that does not exist.
func (c *checkup) authByURL(ctx context.Context, of config.AuthByURL) Finding {
	const key = "upstream.authentication.http"
	cfg := access.HTTPConfig{URL: of.URL, Timeout: patience}
	var err error
	if of.HeadersFile != "" {
		if cfg.Headers, err = config.ReadHeaders(of.HeadersFile); err != nil {
			return c.problem(key+".headers_file", "%v", err)
		}
	}
	if cfg.TLS, err = c.tlsOf(key, of.TLS); err != nil {
		return c.problem(key+".tls", "%v", err)
	}
	service, err := access.NewHTTP(cfg)
	if err != nil {
		return c.problem(key+".url", "%v", err)
	}
	defer service.Close()
	answer, err := service.Authenticate(ctx, visitingDevice("exgate-doctor"), "exgate-doctor")
	if err != nil {
		return c.webTrouble(key, "url", of.URL, of.TLS, err)
	}
	if answer.Decision == access.Allow {
		return c.warning(key+".url", "the service at %s accepts a device that does not exist, with an invalid password",
			withoutSecrets(of.URL))
	}
	return c.well(key+".url", "the service at %s answers, and rejects a device that does not exist",
		withoutSecrets(of.URL))
}

// authByJWT reads the keys in files and fetches those at a URL.
func (c *checkup) authByJWT(ctx context.Context, of config.AuthByJWT) Finding {
	const key = "upstream.authentication.jwt"
	secure, err := c.tlsOf(key, of.TLS)
	if err != nil {
		return c.problem(key+".tls", "%v", err)
	}
	cfg := of.Verifier()
	cfg.TLS = secure
	cfg.Logger = slog.New(slog.DiscardHandler)
	verifier, err := access.NewJWT(cfg)
	if err != nil {
		return c.problem(key, "%v", err)
	}
	defer verifier.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := verifier.Authenticate(ctx, visitingDevice("exgate-doctor"), unknownToken(of)); err != nil {
		return c.webTrouble(key, "jwks", of.JWKS, of.TLS, err)
	}
	return c.well(key, "the keys that verify tokens are available")
}

// unknownToken returns a token with an unknown key id, so that all keys are read before it is rejected.
func unknownToken(of config.AuthByJWT) string {
	algorithm := "RS256"
	if len(of.Algorithms) > 0 {
		algorithm = of.Algorithms[0]
	} else if of.SecretFile != "" {
		algorithm = "HS256"
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"`+algorithm+`","kid":"exgate-doctor"}`)) + "." + encode([]byte("{}")) + "." +
		encode([]byte("no signature"))
}

// tlsOf returns nil if the section key does not configure TLS.
func (c *checkup) tlsOf(key string, of config.ClientTLS) (*tls.Config, error) {
	if !c.cfg.Said(key + ".tls") {
		return nil, nil
	}
	return tlsfiles.Client(of)
}
