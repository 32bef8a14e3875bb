package config

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/runtime/gateway"
)

// Authentication decides which devices may log in, and what they may do, where devices share connections to the broker.
// If Chain is empty, the broker decides.
type Authentication struct {
	Chain []string  `koanf:"chain"`
	File  string    `koanf:"file" path:"file"`
	Rules string    `koanf:"rules" path:"file"`
	HTTP  AuthByURL `koanf:"http"`
	JWT   AuthByJWT `koanf:"jwt"`
}

// AuthByURL asks a service over HTTP. Zero fields take the defaults of connectors/access.
type AuthByURL struct {
	URL         string        `koanf:"url"`
	Timeout     time.Duration `koanf:"timeout"`
	Cache       time.Duration `koanf:"cache"`
	HeadersFile string        `koanf:"headers_file" path:"file"`
	TLS         ClientTLS     `koanf:"tls"`
}

// AuthByJWT verifies the password as a signed token. Zero fields take the defaults of connectors/access.
type AuthByJWT struct {
	SecretFile string    `koanf:"secret_file" path:"file"`
	PublicKey  string    `koanf:"public_key" path:"file"`
	JWKS       string    `koanf:"jwks" path:"file"`
	Algorithms []string  `koanf:"algorithms"`
	Issuer     string    `koanf:"issuer"`
	Audience   string    `koanf:"audience"`
	Claims     []string  `koanf:"claims"`
	ACLClaim   string    `koanf:"acl_claim"`
	TLS        ClientTLS `koanf:"tls"`
}

// Asked returns the authenticators in the order in which they are tried.
func (a Authentication) Asked() []string {
	if len(a.Chain) == 0 {
		return []string{"broker"}
	}
	return a.Chain
}

// Verifier returns the authenticator's configuration, without TLS.
func (a AuthByJWT) Verifier() access.JWTConfig {
	return access.JWTConfig{
		SecretFile: a.SecretFile, PublicKeyFile: a.PublicKey, JWKS: a.JWKS, Algorithms: a.Algorithms, Issuer: a.Issuer,
		Audience: a.Audience, Claims: a.Claims, ACLClaim: a.ACLClaim,
	}
}

// authenticators are the names that a chain may hold; those in ofSections have a section of their own.
var (
	authenticators = []string{"broker", "file", "http", "jwt", "allow"}
	ofSections     = []string{"file", "http", "jwt"}
)

// authentication checks the chain and its authenticators.
func (r rules) authentication(key string, a Authentication) {
	r.chain(key, a.Asked())
	r.authFile(key+".file", a.File)
	r.authFile(key+".rules", a.Rules)
	r.authByURL(key+".http", a.HTTP)
	r.authByJWT(key+".jwt", a.JWT)
}

// chain checks that each authenticator in the chain is configured, and that each configured one is in the chain.
func (r rules) chain(key string, chain []string) {
	for i, name := range chain {
		here := r.cfg.origins.ofItem(key+".chain", i)
		_, said := r.cfg.said(key + "." + name)
		switch {
		case !slices.Contains(authenticators, name):
			r.problems.add(here, key+".chain", "must contain %s, not %s", either(authenticators), quoted(name))
		case slices.Contains(chain[:i], name):
			r.problems.add(here, key+".chain", "contains %s twice", name)
		case name == "allow" && i < len(chain)-1:
			r.problems.add(here, key+".chain",
				"allow accepts every device, so authenticators after it are never used: put it last")
		case slices.Contains(ofSections, name) && !said:
			r.problems.add(here, key+".chain", "%s needs %s.%s", name, key, name)
		}
	}
	for _, name := range ofSections {
		if there, said := r.cfg.said(key + "." + name); said && !slices.Contains(chain, name) &&
			!r.broken(key+".chain") {
			r.problems.add(there, key+"."+name, "is not in use: add %s to %s.chain, which is [%s]", name, key,
				strings.Join(chain, ", "))
		}
	}
}

// authByURL checks a service that is queried over HTTP.
func (r rules) authByURL(key string, a AuthByURL) {
	at, said := r.cfg.said(key)
	if !said || r.broken(key) {
		return
	}
	u, err := url.Parse(a.URL)
	switch {
	case a.URL == "":
		r.problems.add(at, key, "needs url, such as https://auth.example/exgate")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "":
		r.problem(key+".url", "must be like http://host:8080/path or https://host/path, not %s",
			quoted(redacted(a.URL)))
	case u.User != nil:
		r.problem(key+".url", "must not contain a user: put an Authorization header into headers_file")
	case u.Scheme == "http":
		if at, said := r.cfg.said(key + ".tls"); said {
			r.problems.add(at, key+".tls", "needs https:// in %s.url", key)
		}
	}
	r.clientTLS(key+".tls", a.TLS)
	r.headersFile(key+".headers_file", a.HeadersFile)
}

// jwtAlgorithms are the algorithms that connectors/access supports.
var jwtAlgorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
	"ES384", "ES512",
}

// authByJWT checks the keys that tokens are verified with, and the claims that they must have.
func (r rules) authByJWT(key string, a AuthByJWT) {
	at, said := r.cfg.said(key)
	if !said || r.broken(key) {
		return
	}
	if a.SecretFile == "" && a.PublicKey == "" && a.JWKS == "" {
		r.problems.add(at, key, "needs secret_file, public_key or jwks to verify tokens")
	}
	r.file(key+".secret_file", a.SecretFile)
	r.file(key+".public_key", a.PublicKey)
	r.jwks(key, a)
	for i, name := range a.Algorithms {
		if !slices.Contains(jwtAlgorithms, name) {
			r.problems.add(r.cfg.origins.ofItem(key+".algorithms", i), key+".algorithms", "must contain %s, not %s",
				either(jwtAlgorithms), quoted(name))
		}
	}
	for i, claim := range a.Claims {
		at := r.cfg.origins.ofItem(key+".claims", i)
		if name, value, ok := strings.Cut(claim, "="); !ok || name == "" || value == "" {
			r.problems.add(at, key+".claims", "must contain name=value such as sub=${clientid}, not %s", quoted(claim))
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

// jwks checks the location of a key set.
func (r rules) jwks(key string, a AuthByJWT) {
	if !isURL(a.JWKS) {
		r.file(key+".jwks", a.JWKS)
		if at, said := r.cfg.said(key + ".tls"); said {
			r.problems.add(at, key+".tls", "is for jwks at a URL")
		}
		return
	}
	if u, err := url.Parse(a.JWKS); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		r.problem(key+".jwks", "must be a file or a URL such as https://host/path, not %s", quoted(redacted(a.JWKS)))
	}
	r.clientTLS(key+".tls", a.TLS)
}
