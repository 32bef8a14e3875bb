package access_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/exgate/exgate/connectors/access"
)

const secret = "a secret of at least 64 bytes, which is what HS512 wants of everybody"

// keys are made once: RSA takes its time.
var keys = sync.OnceValue(func() (k struct {
	rsa, other *rsa.PrivateKey
	p256, p384 *ecdsa.PrivateKey
},
) {
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.other, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.p256, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.p384, _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	return k
})

type claims map[string]any

// sign creates a token.
func sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, c claims) string {
	t.Helper()
	return signWith(t, algorithm, key, c, &jose.SignerOptions{})
}

func signWith(t testing.TB, algorithm jose.SignatureAlgorithm, key any, c claims, opts *jose.SignerOptions) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func publicPEM(t testing.TB, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func newJWT(t testing.TB, cfg access.JWTConfig) *access.JWT {
	t.Helper()
	j, err := access.NewJWT(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// reasonOf is why a token is refused, "" where it is taken.
func reasonOf(t testing.TB, j *access.JWT, token string) string {
	t.Helper()
	answer, err := j.Authenticate(t.Context(), device("c1", "u1"), token)
	switch {
	case err != nil:
		t.Fatal(err)
	case answer.Decision == access.Allow:
		return ""
	case answer.Decision == access.Ignore:
		return "ignored"
	case answer.Reason == "":
		t.Error("a refusal without a reason")
	}
	return answer.Reason
}

func TestJWTAlgorithms(t *testing.T) {
	k := keys()
	for algorithm, key := range map[jose.SignatureAlgorithm]any{
		jose.HS256: []byte(secret), jose.HS384: []byte(secret), jose.HS512: []byte(secret),
		jose.RS256: k.rsa, jose.RS384: k.rsa, jose.RS512: k.rsa, jose.PS256: k.rsa, jose.PS384: k.rsa,
		jose.PS512: k.rsa,
		jose.ES256: k.p256, jose.ES384: k.p384,
	} {
		cfg := access.JWTConfig{Algorithms: []string{string(algorithm)}}
		if private, ok := key.(crypto.Signer); ok {
			cfg.PublicKeyFile = writeFile(t, publicPEM(t, private.Public()))
		} else {
			cfg.SecretFile = writeFile(t, secret+"\n")
		}
		j := newJWT(t, cfg)
		if r := reasonOf(t, j, sign(t, algorithm, key, claims{"sub": "x"})); r != "" {
			t.Errorf("%s: %s", algorithm, r)
		}
		other := jose.HS256
		if algorithm == jose.HS256 {
			other = jose.HS384
		}
		if r := reasonOf(t, j, sign(t, other, []byte(secret), claims{})); !strings.Contains(r,
			"not signed with "+string(algorithm)) {
			t.Errorf("%s where %s is wanted: %s", other, algorithm, r)
		}
	}
}

func TestJWTIsIgnoredWhereItIsNone(t *testing.T) {
	j := newJWT(t, access.JWTConfig{SecretFile: writeFile(t, secret)})
	for _, password := range []string{
		"", "secret", "a.b.c", "..", "....", "e30.e30.e30", `{"alg":"HS256"}.e30.x`,
		strings.Repeat("x.", 1000),
	} {
		if r := reasonOf(t, j, password); r != "ignored" {
			t.Errorf("%.40q: %s", password, r)
		}
	}
}

func TestJWTClaims(t *testing.T) {
	j := newJWT(t, access.JWTConfig{
		SecretFile: writeFile(t, secret), Issuer: "me", Audience: "gateway", Claims: []string{
			"sub=${clientid}", "user=${username}", "kind=device",
		},
	})
	now := time.Now().Unix()
	for name, c := range map[string]struct {
		change claims
		want   string
	}{
		"all right":            {claims{"exp": now + 60}, ""},
		"exp within leeway":    {claims{"exp": now - 10}, ""},
		"expired":              {claims{"exp": now - 60}, "the token has expired"},
		"exp 0":                {claims{"exp": 0}, "the token has expired"},
		"exp is a text":        {claims{"exp": "tomorrow"}, "a claim of the token has the wrong type"},
		"nbf within leeway":    {claims{"nbf": now + 10}, ""},
		"not yet":              {claims{"nbf": now + 60}, "the token is not valid yet: nbf"},
		"from the future":      {claims{"iat": now + 60}, "the token comes from the future: iat"},
		"another issuer":       {claims{"iss": "you"}, "the token has another issuer: iss"},
		"no issuer":            {claims{"iss": nil}, "the token has another issuer: iss"},
		"several audiences":    {claims{"aud": []string{"x", "gateway"}}, ""},
		"another audience":     {claims{"aud": "x"}, "the token is for another audience: aud"},
		"no audience":          {claims{"aud": nil}, "the token is for another audience: aud"},
		"another client":       {claims{"sub": "c2"}, "claim sub of the token is not ${clientid}"},
		"a number as a client": {claims{"sub": 1}, "a claim of the token has the wrong type"},
		"a number as a user":   {claims{"user": 1}, "claim user of the token is not ${username}"},
		"another user":         {claims{"user": "u2"}, "claim user of the token is not ${username}"},
		"no user":              {claims{"user": nil}, "claim user of the token is not ${username}"},
		"another kind":         {claims{"kind": "x"}, "claim kind of the token is not device"},
		"case matters":         {claims{"kind": nil, "Kind": "device"}, "claim kind of the token is not device"},
		"rules that are wrong": {
			claims{"acl": "all"}, "claim acl of the token: want a list of rules, or pub, sub and all",
		},
	} {
		token := claims{"iss": "me", "aud": "gateway", "sub": "c1", "user": "u1", "kind": "device"}
		for key, value := range c.change {
			token[key] = value
			if value == nil {
				delete(token, key)
			}
		}
		if r := reasonOf(t, j, sign(t, jose.HS256, []byte(secret), token)); r != c.want {
			t.Errorf("%s: %q, want %q", name, r, c.want)
		}
	}
	if answer, err := j.Authenticate(t.Context(), device("", ""), sign(t, jose.HS256, []byte(secret), claims{
		"iss": "me", "aud": "gateway", "sub": "", "user": "", "kind": "device",
	})); err != nil || answer.Decision != access.Deny {
		t.Errorf("a client without a name: %v %v", answer, err)
	}
}

func TestJWTAnswer(t *testing.T) {
	j := newJWT(t, access.JWTConfig{SecretFile: writeFile(t, secret), ACLClaim: "rules"})
	exp := time.Now().Add(time.Hour).Truncate(time.Second)
	answer, err := j.Authenticate(t.Context(), device("c1", "u1"), sign(t, jose.HS256, []byte(secret), claims{
		"exp": exp.Unix(), "acl": "ignored", "rules": claims{"pub": []string{"up/%c"}},
	}))
	if err != nil || answer.Decision != access.Allow || answer.Superuser ||
		!answer.Expires.Equal(exp.Add(30*time.Second)) {
		t.Fatal(answer, err)
	}
	if !answer.Rules.Allows(device("c1", "u1"), access.Publish, "up/c1") ||
		answer.Rules.Allows(device("c1", "u1"), access.Subscribe, "up/c1") {
		t.Error("the rules are not those of the token")
	}
	answer, err = j.Authenticate(t.Context(), device("c1", "u1"), sign(t, jose.HS256, []byte(secret), claims{}))
	if err != nil || answer.Rules != nil || !answer.Expires.IsZero() {
		t.Error(answer, err)
	}
}

func TestJWTKeyFiles(t *testing.T) {
	short, _ := rsa.GenerateKey(rand.Reader, 1024)
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	k := keys()
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte(secret)}))
	oct := fmt.Sprintf(`{"keys":[{"kty":"oct","k":%q}]}`, base64.RawURLEncoding.EncodeToString([]byte(secret)))
	for name, c := range map[string]struct {
		cfg  access.JWTConfig
		want string
	}{
		"nothing": {access.JWTConfig{}, "needs a secret file, a public key or a JWKS"},
		"short secret": {
			access.JWTConfig{SecretFile: writeFile(t, secret[:31]+"\n")},
			"auth.yaml: the secret has 31 bytes: HS256 needs at least 32",
		},
		"secret for HS512": {
			access.JWTConfig{SecretFile: writeFile(t, secret[:63]), Algorithms: []string{"HS512"}},
			"HS512 needs at least 64",
		},
		"secret for RSA": {
			access.JWTConfig{SecretFile: writeFile(t, secret), Algorithms: []string{"RS256"}},
			"a secret needs HS256, HS384 or HS512 in algorithms",
		},
		"missing": {access.JWTConfig{SecretFile: "/missing/secret"}, "/missing/secret"},
		"no PEM": {
			access.JWTConfig{PublicKeyFile: writeFile(t, secret)},
			"auth.yaml: want a public key or a certificate in PEM",
		},
		"private key": {access.JWTConfig{PublicKeyFile: writeFile(t, private)}, "not PRIVATE KEY"},
		"short RSA": {
			access.JWTConfig{PublicKeyFile: writeFile(t, publicPEM(t, short.Public()))},
			"1024 bits is too short: at least 2048",
		},
		"P-224": {
			access.JWTConfig{PublicKeyFile: writeFile(t, publicPEM(t, p224.Public()))},
			"must use P-256, P-384 or P-521",
		},
		"JWKS of secrets": {access.JWTConfig{JWKS: writeFile(t, oct)}, "the set contains no RSA or ECDSA public key"},
		"JWKS over http":  {access.JWTConfig{JWKS: "http://h/keys"}, "must be a file or an https:// URL"},
		"none": {
			access.JWTConfig{SecretFile: writeFile(t, secret), Algorithms: []string{"none"}},
			`"none" must be one of HS256`,
		},
		"EdDSA": {
			access.JWTConfig{SecretFile: writeFile(t, secret), Algorithms: []string{"EdDSA"}},
			`"EdDSA" must be one of HS256`,
		},
		"a claim": {
			access.JWTConfig{SecretFile: writeFile(t, secret), Claims: []string{"sub"}}, "want NAME=VALUE",
		},
		"a placeholder": {
			access.JWTConfig{SecretFile: writeFile(t, secret), Claims: []string{"sub=${user}"}}, "${user} in",
		},
	} {
		j, err := access.NewJWT(c.cfg)
		if err == nil {
			j.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret[:20]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cert := filepath.Join(t.TempDir(), "cert.pem")
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.p256.Public(), k.p256)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	if r := reasonOf(t, newJWT(t, access.JWTConfig{PublicKeyFile: cert}),
		sign(t, jose.ES256, k.p256, claims{})); r != "" {
		t.Error(r)
	}
}
