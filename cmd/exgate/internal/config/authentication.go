package config

import (
	"time"

	"github.com/exgate/exgate/connectors/access"
)

// Authentication is who may log in, and do what, where devices share connections to the broker. If Chain is empty, the broker is asked.
type Authentication struct {
	Chain []string  `koanf:"chain"`
	File  string    `koanf:"file" path:"file"`
	Rules string    `koanf:"rules" path:"file"`
	HTTP  AuthByURL `koanf:"http"`
	JWT   AuthByJWT `koanf:"jwt"`
}

// AuthByURL asks a service over HTTP. If zero, a field is the default of connectors/access.
type AuthByURL struct {
	URL         string        `koanf:"url"`
	Timeout     time.Duration `koanf:"timeout"`
	Cache       time.Duration `koanf:"cache"`
	HeadersFile string        `koanf:"headers_file" path:"file"`
	TLS         ClientTLS     `koanf:"tls"`
}

// AuthByJWT takes the password for a token and looks who signed it. If zero, a field is the default of connectors/access.
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

// Asked is the chain: who is asked, in this order.
func (a Authentication) Asked() []string {
	if len(a.Chain) == 0 {
		return []string{"broker"}
	}
	return a.Chain
}

// Verifier returns what is set in the authenticator's own form, without TLS.
func (a AuthByJWT) Verifier() access.JWTConfig {
	return access.JWTConfig{
		SecretFile: a.SecretFile, PublicKeyFile: a.PublicKey, JWKS: a.JWKS, Algorithms: a.Algorithms, Issuer: a.Issuer, Audience: a.Audience,
		Claims: a.Claims, ACLClaim: a.ACLClaim,
	}
}
