package access_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/exgate/exgate/connectors/access"
)

func part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge signs with HMAC whatever the header says.
func forge(header, payload, key string) string {
	signed := part(header) + "." + part(payload)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(signed))
	return signed + "." + part(string(mac.Sum(nil)))
}

// TestJWTAttacks forges tokens for a gateway that takes RS256, ES256 and, in the worst case, HS256.
func TestJWTAttacks(t *testing.T) {
	k := keys()
	rsaPEM := publicPEM(t, k.rsa.Public())
	right := sign(t, jose.RS256, k.rsa, claims{"sub": "x"})
	parts := strings.Split(right, ".")
	embedded := &jose.SignerOptions{EmbedJWK: true}
	elsewhere := (&jose.SignerOptions{}).WithHeader("jku", "https://attacker.invalid/keys")
	critical := (&jose.SignerOptions{}).WithHeader("crit", []string{"x"}).WithHeader("x", "y")
	encrypter, err := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.RSA_OAEP, Key: k.rsa.Public()},
		nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := encrypter.Encrypt([]byte(right))
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := sealed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	attacks := map[string]string{
		"none":                             part(`{"alg":"none"}`) + "." + parts[1] + ".",
		"none with a signature":            part(`{"alg":"none"}`) + "." + parts[1] + "." + parts[2],
		"nOnE":                             part(`{"alg":"nOnE"}`) + "." + parts[1] + ".",
		"no algorithm but an empty one":    part(`{"alg":""}`) + "." + parts[1] + ".",
		"no signature":                     parts[0] + "." + parts[1] + ".",
		"other claims":                     parts[0] + "." + part(`{"sub":"y"}`) + "." + parts[2],
		"half a signature":                 parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])/2],
		"another key":                      sign(t, jose.RS256, k.other, claims{"sub": "x"}),
		"HS256 with the public key as PEM": forge(`{"alg":"HS256"}`, `{"sub":"x"}`, rsaPEM),
		"the same without the line end":    forge(`{"alg":"HS256"}`, `{"sub":"x"}`, strings.TrimSpace(rsaPEM)),
		"HS256 with the modulus":           forge(`{"alg":"HS256"}`, `{"sub":"x"}`, string(k.rsa.N.Bytes())),
		"HS256 with nothing":               forge(`{"alg":"HS256"}`, `{"sub":"x"}`, ""),
		"HS256 that says RS256":            forge(`{"alg":"RS256"}`, `{"sub":"x"}`, rsaPEM),
		"its own key in the header":        signWith(t, jose.RS256, k.other, claims{"sub": "x"}, embedded),
		"its own key elsewhere":            signWith(t, jose.RS256, k.other, claims{"sub": "x"}, elsewhere),
		"a critical header":                signWith(t, jose.RS256, k.rsa, claims{"sub": "x"}, critical),
		"ES256 of zeroes": part(`{"alg":"ES256"}`) + "." + parts[1] + "." +
			part(string(make([]byte, 64))),
		"encrypted":                       encrypted,
		"an algorithm that is not listed": sign(t, jose.RS512, k.rsa, claims{"sub": "x"}),
		"two algorithms":                  part(`{"alg":"RS256","alg":"none"}`) + "." + parts[1] + ".",
		"no claims":                       sign(t, jose.RS256, k.rsa, nil)[:0] + parts[0] + "." + "." + parts[2],
	}
	algorithms := []string{"RS256", "ES256", "HS256"}
	for name, j := range map[string]*access.JWT{
		"public key": newJWT(t, access.JWTConfig{PublicKeyFile: writeFile(t, rsaPEM), Algorithms: algorithms}),
		"ECDSA": newJWT(t, access.JWTConfig{
			PublicKeyFile: writeFile(t, publicPEM(t, k.p256.Public())), Algorithms: algorithms,
		}),
		"JWKS": newJWT(t, access.JWTConfig{JWKS: writeFile(t, jwks(t, "", k.rsa.Public())), Algorithms: algorithms}),
		"both": newJWT(t, access.JWTConfig{
			SecretFile: writeFile(t, secret), PublicKeyFile: writeFile(t, rsaPEM), Algorithms: algorithms,
		}),
	} {
		for attack, token := range attacks {
			if r := reasonOf(t, j, token); r == "" || r == "ignored" {
				t.Errorf("%s, %s: %q", name, attack, r)
			}
		}
		if r := reasonOf(t, j, right); name != "ECDSA" && r != "" {
			t.Errorf("%s: %s", name, r)
		}
	}
}

// jwks is a set of one key.
func jwks(t testing.TB, id string, key any) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: id, Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestJWTTellsNoSecrets looks at each reason and error for the token and the secret.
func TestJWTTellsNoSecrets(t *testing.T) {
	j := newJWT(t, access.JWTConfig{SecretFile: writeFile(t, secret), Claims: []string{"sub=${clientid}"}})
	const hidden = "hunter2hunter2"
	for _, c := range []claims{
		{"sub": hidden},
		{"sub": "c1", "exp": hidden},
		{"sub": "c1", "acl": hidden},
		{"sub": "c1", "aud": hidden, "exp": 1},
	} {
		for _, key := range []string{secret, secret + "x"} {
			token := sign(t, jose.HS256, []byte(key), c)
			answer, err := j.Authenticate(t.Context(), device("c1", "u1"), token)
			if err != nil || answer.Decision != access.Deny {
				t.Fatal(answer, err)
			}
			for _, text := range []string{hidden, secret, token, strings.Split(token, ".")[2]} {
				if strings.Contains(answer.Reason, text) {
					t.Errorf("the reason is %s", answer.Reason)
				}
			}
		}
	}
	if r := reasonOf(t, j, part(`{"alg":"`+hidden+`","kid":"`+hidden+`"}`)+"."+part("{}")+"."); strings.Contains(r,
		hidden) {
		t.Error(r)
	}
}
