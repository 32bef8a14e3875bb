package config

import (
	"net/url"
	"slices"
	"strings"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/runtime/gateway"
)

// jwtAlgorithms are those that connectors/access knows.
var jwtAlgorithms = []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}

// authByJWT checks what tokens are verified with, and what they must say.
func (r rules) authByJWT(key string, a AuthByJWT) {
	at, said := r.cfg.said(key)
	if !said || r.broken(key) {
		return
	}
	if a.SecretFile == "" && a.PublicKey == "" && a.JWKS == "" {
		r.problems.add(at, key, "needs secret_file, public_key or jwks, which tokens are verified with")
	}
	r.file(key+".secret_file", a.SecretFile)
	r.file(key+".public_key", a.PublicKey)
	r.jwks(key, a)
	for i, name := range a.Algorithms {
		if !slices.Contains(jwtAlgorithms, name) {
			r.problems.add(r.cfg.origins.ofItem(key+".algorithms", i), key+".algorithms", "must hold %s, not %s", either(jwtAlgorithms), quoted(name))
		}
	}
	for i, claim := range a.Claims {
		at := r.cfg.origins.ofItem(key+".claims", i)
		if name, value, ok := strings.Cut(claim, "="); !ok || name == "" || value == "" {
			r.problems.add(at, key+".claims", "must hold name=value such as sub=${clientid}, not %s", quoted(claim))
		} else if unknown := gateway.UnknownPlaceholder(value); unknown != "" {
			r.problems.add(at, key+".claims", "%v", unknownPlaceholder(unknown))
		}
	}
	if !r.broken(key) {
		r.keyFiles(key, a)
	}
}

// keyFiles reads the keys that are in files.
func (r rules) keyFiles(key string, a AuthByJWT) {
	cfg := a.Verifier()
	if isURL(a.JWKS) {
		cfg.JWKS = ""
	}
	if cfg.SecretFile == "" && cfg.PublicKeyFile == "" && cfg.JWKS == "" {
		return
	}
	verifier, err := access.NewJWT(cfg)
	if err != nil {
		r.problem(key, "%v", err)
		return
	}
	verifier.Close()
}

// jwks checks where a set of keys is.
func (r rules) jwks(key string, a AuthByJWT) {
	if !isURL(a.JWKS) {
		r.file(key+".jwks", a.JWKS)
		if at, said := r.cfg.said(key + ".tls"); said {
			r.problems.add(at, key+".tls", "is for jwks at a URL")
		}
		return
	}
	if u, err := url.Parse(a.JWKS); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		r.problem(key+".jwks", "must be a file or like https://host/path, not %s", quoted(redacted(a.JWKS)))
	}
	r.clientTLS(key+".tls", a.TLS)
}
