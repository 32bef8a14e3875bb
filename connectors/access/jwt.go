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

// JWTConfig is what a [JWT] is made with. At least one of SecretFile, PublicKeyFile and JWKS is required.
type JWTConfig struct {
	// SecretFile holds the secret of HS256, HS384 and HS512, but for a line end behind it. It has to be as long as the
	// digest, 32 bytes for HS256: RFC 7518 section 3.2.
	SecretFile string

	// PublicKeyFile holds the public key that tokens are verified with, or a certificate with it, as PEM: RSA of at
	// least 2048 bits, or ECDSA.
	PublicKeyFile string

	// JWKS is a file with a set of public keys, or its https:// URL.
	JWKS string

	// TLS is for the URL of JWKS. If zero, it needs a certificate that the system trusts.
	TLS *tls.Config

	// Refresh is how often files and URL are read again. What cannot be read leaves the keys that were there. If zero,
	// 5 min. The set of keys is also read for a key id that it does not have, at most every 10 s.
	Refresh time.Duration

	// Algorithms are the only ones that are accepted: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512,
	// ES256, ES384, ES512. If zero, HS256 with a secret, RS256 and ES256 with public keys.
	Algorithms []string

	// Issuer is what iss has to be, and Audience what aud has to hold. If zero, anything goes.
	Issuer, Audience string

	// Claims are NAME=VALUE: texts that claims have to be, such as sub=${clientid}. ${clientid}, ${username},
	// ${listener} and ${module} stand for those of the device.
	Claims []string

	// ACLClaim names the claim with the rules. If zero, acl.
	ACLClaim string

	// Logger gets what a person should know. If zero, slog.Default().
	Logger *slog.Logger
}

// leeway is how far the clocks of who signs tokens and of the gateway may be apart.
const leeway = 30 * time.Second

// JWT takes the password for a token and looks who signed it. It is an [Authenticator].
type JWT struct {
	algorithms []jose.SignatureAlgorithm
	issuer     string
	audience   string
	claims     []wantedClaim
	aclClaim   string
	keys       *keyring
}

var _ Authenticator = (*JWT)(nil)

// NewJWT reads the files. Errors name the file or the setting. What is at a URL is fetched later: until then, tokens
// cannot be verified.
func NewJWT(cfg JWTConfig) (*JWT, error) {
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
	keys, err := newKeyring(sources, cmp.Or(cfg.Refresh, 5*time.Minute), cfg.Logger)
	if err != nil {
		return nil, err
	}
	return &JWT{
		algorithms: algorithms, issuer: cfg.Issuer, audience: cfg.Audience, claims: claims,
		aclClaim: cmp.Or(cfg.ACLClaim, "acl"), keys: keys,
	}, nil
}

// Close ends the refreshing of keys.
func (j *JWT) Close() { j.keys.close() }

func (cfg JWTConfig) algorithms() ([]jose.SignatureAlgorithm, error) {
	var algorithms []jose.SignatureAlgorithm
	for _, name := range cfg.Algorithms {
		a := jose.SignatureAlgorithm(name)
		if !slices.Contains(allAlgorithms, a) {
			return nil, fmt.Errorf("algorithms of jwt: %.20q is none of %s", name, namesOf(allAlgorithms))
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
		return nil, errors.New("jwt needs a secret file, a public key or a JWKS, which tokens are verified with")
	}
	return sources, nil
}

// Authenticate answers [Ignore] for a password that is no JWT, and [Deny] for a token that is wrong or has expired. It
// fails where the keys could not be had.
func (j *JWT) Authenticate(ctx context.Context, device gateway.Device, password string) (Answer, error) {
	if !looksLikeJWT(password) {
		return Answer{Reason: "the password is no JWT"}, nil
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
