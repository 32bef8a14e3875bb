package access

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/exgate/exgate/runtime/gateway"
)

// JWTConfig configures a [JWT]. At least one of SecretFile, PublicKeyFile and JWKS is required.
type JWTConfig struct {
	// SecretFile contains the secret for HS256, HS384 and HS512; a trailing line end is ignored. It must be as long as
	// the digest, 32 bytes for HS256 (RFC 7518 section 3.2).
	SecretFile string

	// PublicKeyFile contains a public key or a certificate in PEM: RSA of at least 2048 bits, or ECDSA.
	PublicKeyFile string

	// JWKS is a file with a JSON Web Key Set, or its https:// URL.
	JWKS string

	// TLS is the client configuration for the URL of JWKS. If zero, its certificate must be trusted by the system.
	TLS *tls.Config

	// Algorithms are the accepted algorithms, of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256,
	// ES384, ES512. If zero, HS256 with a secret, RS256 and ES256 with public keys.
	Algorithms []string

	// Issuer is the required iss, and Audience a required member of aud. If zero, any value is accepted.
	Issuer, Audience string

	// Claims are NAME=VALUE pairs: claims that must be strings equal to VALUE, such as sub=${clientid}. ${clientid},
	// ${username}, ${listener} and ${module} are replaced by the device's.
	Claims []string

	// ACLClaim is the name of the claim that contains the rules. If zero, acl.
	ACLClaim string

	// Logger receives warnings. If zero, slog.Default().
	Logger *slog.Logger
}

// leeway is the tolerated difference between the clocks of the issuer and the gateway.
const leeway = 30 * time.Second

// JWT is an [Authenticator] that takes the password for a JSON Web Token and verifies it.
type JWT struct {
	algorithms []jose.SignatureAlgorithm
	issuer     string
	audience   string
	claims     []wantedClaim
	aclClaim   string
	keys       *keyring
}

var _ Authenticator = (*JWT)(nil)

// refreshEvery is how often key files and the JWKS URL are read again. The JWKS is also read for an unknown key id, at
// most every minRenew.
const refreshEvery = 5 * time.Minute

// NewJWT reads the key files. Errors name the file or the setting. Keys at a URL are fetched later; until then, no
// token that needs them can be verified.
func NewJWT(cfg JWTConfig) (*JWT, error) { return newJWT(cfg, refreshEvery) }

func newJWT(cfg JWTConfig, refresh time.Duration) (*JWT, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	algorithms, err := cfg.algorithms()
	if err != nil {
		return nil, err
	}
	claims, err := parseWantedClaims(cfg.Claims)
	if err != nil {
		return nil, err
	}
	sources, err := cfg.sources(algorithms)
	if err != nil {
		return nil, err
	}
	keys, err := newKeyring(sources, refresh, cfg.Logger)
	if err != nil {
		return nil, err
	}
	return &JWT{
		algorithms: algorithms, issuer: cfg.Issuer, audience: cfg.Audience, claims: claims,
		aclClaim: cmp.Or(cfg.ACLClaim, "acl"), keys: keys,
	}, nil
}

// Close stops the refreshing of keys.
func (j *JWT) Close() { j.keys.close() }

func (cfg JWTConfig) algorithms() ([]jose.SignatureAlgorithm, error) {
	var algorithms []jose.SignatureAlgorithm
	for _, name := range cfg.Algorithms {
		a := jose.SignatureAlgorithm(name)
		if !slices.Contains(allAlgorithms, a) {
			return nil, fmt.Errorf("algorithms of jwt: %.20q must be one of %s", name, namesOf(allAlgorithms))
		}
		algorithms = append(algorithms, a)
	}
	if len(algorithms) > 0 {
		return algorithms, nil
	}
	if cfg.SecretFile != "" {
		algorithms = append(algorithms, jose.HS256)
	}
	if cfg.PublicKeyFile != "" || cfg.JWKS != "" {
		algorithms = append(algorithms, jose.RS256, jose.ES256)
	}
	return algorithms, nil
}

func namesOf(algorithms []jose.SignatureAlgorithm) string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}
	return strings.Join(names, ", ")
}

func (cfg JWTConfig) sources(algorithms []jose.SignatureAlgorithm) ([]*keySource, error) {
	var sources []*keySource
	if cfg.SecretFile != "" {
		sources = append(sources, fileSource(cfg.SecretFile, func(text []byte) ([]verifyKey, error) {
			return parseSecret(text, algorithms)
		}))
	}
	if cfg.PublicKeyFile != "" {
		sources = append(sources, fileSource(cfg.PublicKeyFile, parsePublicKey))
	}
	switch {
	case strings.HasPrefix(cfg.JWKS, "https://"):
		sources = append(sources, urlSource(cfg.JWKS, cfg.TLS))
	case strings.Contains(cfg.JWKS, "://"):
		return nil, errors.New("jwks of jwt must be a file or an https:// URL")
	case cfg.JWKS != "":
		s := fileSource(cfg.JWKS, parseJWKS)
		s.set = true
		sources = append(sources, s)
	}
	if len(sources) == 0 {
		return nil, errors.New("jwt needs a secret file, a public key or a JWKS to verify tokens with")
	}
	return sources, nil
}

// Authenticate answers [Ignore] if the password is not a JWT, and [Deny] if the token is invalid or has expired. It
// returns an error if the keys are not available.
func (j *JWT) Authenticate(ctx context.Context, device gateway.Device, password string) (Answer, error) {
	if !looksLikeJWT(password) {
		return Answer{Reason: "the password is not a JWT"}, nil
	}
	token, refusal, err := j.verify(ctx, password)
	if err != nil {
		return Answer{}, err
	}
	if refusal == "" {
		refusal = j.check(token, device)
	}
	if refusal != "" {
		return Answer{Decision: Deny, Reason: refusal}, nil
	}
	return token.allowed(), nil
}
