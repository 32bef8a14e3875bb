package access_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// keyServer serves a set of keys over TLS.
type keyServer struct {
	*httptest.Server
	body    atomic.Pointer[string] // nil: 503
	fetched atomic.Int64
}

func serveKeys(t *testing.T, body string) *keyServer {
	s := &keyServer{}
	s.body.Store(&body)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.fetched.Add(1)
		if body := s.body.Load(); body != nil {
			_, _ = w.Write([]byte(*body))
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func signID(t *testing.T, key any, id string) string {
	return signWith(t, jose.RS256, key, claims{}, (&jose.SignerOptions{}).WithHeader("kid", id))
}

func TestJWKSIsFetchedAndRotated(t *testing.T) {
	k := keys()
	s := serveKeys(t, jwks(t, "one", k.rsa.Public()))
	logged := &gatewaytest.Log{}
	j, err := access.NewJWTRefreshing(access.JWTConfig{
		JWKS: s.URL + "?token=hunter2", TLS: s.trust(), Logger: logged.Logger(),
	}, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	if r := reasonOf(t, j, signID(t, k.rsa, "one")); r != "" { // waits for the first set
		t.Fatal(r)
	}
	s.body.Store(nil)
	gatewaytest.Eventually(t, "the log tells", func() bool {
		return strings.Contains(logged.String(), "the server answered 503")
	})
	if r := reasonOf(t, j, signID(t, k.rsa, "one")); r != "" {
		t.Errorf("the URL is down: %s", r)
	}
	if _, err := j.Authenticate(t.Context(), device("c", "u"), signID(t, k.other, "two")); err == nil ||
		!strings.Contains(err.Error(), "503") {
		t.Errorf("a key that may be there: %v", err)
	}
	next := jwks(t, "two", k.other.Public())
	s.body.Store(&next)
	gatewaytest.Eventually(t, "the new key is there", func() bool {
		answer, err := j.Authenticate(t.Context(), device("c", "u"), signID(t, k.other, "two"))
		return err == nil && answer.Decision == access.Allow
	})
	if r := reasonOf(t, j, signID(t, k.rsa, "one")); !strings.Contains(r, "no key matches") {
		t.Errorf("the old key: %s", r)
	}
	if text := logged.String(); strings.Contains(text, "hunter2") ||
		!strings.Contains(text, "refreshed the JWT keys again") {
		t.Error(logged.String())
	}
}

// TestUnknownKeyIDsDoNotFloodTheURL sends many, of which the first may make the gateway fetch.
func TestUnknownKeyIDsDoNotFloodTheURL(t *testing.T) {
	k := keys()
	s := serveKeys(t, jwks(t, "one", k.rsa.Public()))
	j := newJWT(t, access.JWTConfig{JWKS: s.URL, TLS: s.trust()})
	began := time.Now()
	for range 50 {
		if r := reasonOf(t, j, signID(t, k.other, "forged")); !strings.Contains(r, "no key matches") {
			t.Fatal(r)
		}
	}
	if n, most := s.fetched.Load(), int64(time.Since(began)/(10*time.Second))+1; n > most {
		t.Errorf("fetched %d times, want at most %d", n, most)
	}
}

func TestJWKSThatCannotBeHad(t *testing.T) {
	s := serveKeys(t, "{}")
	quiet := slog.New(slog.DiscardHandler)
	untrusted := newJWT(t, access.JWTConfig{JWKS: s.URL, Logger: quiet})
	empty := newJWT(t, access.JWTConfig{JWKS: s.URL, TLS: s.trust(), Logger: quiet})
	for want, j := range map[string]*access.JWT{"certificate": untrusted, "the set contains no": empty} {
		if answer, err := j.Authenticate(t.Context(), device("c", "u"), signID(t, keys().rsa, "one")); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v %v, want %s", answer, err, want)
		}
	}
}

// TestJWKSKeysAreForWhatTheySay leaves out keys for encryption, and takes a key for the algorithm that it names only.
func TestJWKSKeysAreForWhatTheySay(t *testing.T) {
	k := keys()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: k.other.Public(), KeyID: "enc", Use: "enc"},
		{Key: k.rsa.Public(), KeyID: "one", Algorithm: "RS512"},
		{Key: []byte(secret), KeyID: "oct"},
		{Key: k.p256, KeyID: "private"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	j := newJWT(t, access.JWTConfig{
		JWKS: writeFile(t, string(text)), Algorithms: []string{"RS256", "RS512", "HS256", "ES256"},
	})
	for name, c := range map[string]struct {
		token string
		ok    bool
	}{
		"its algorithm":      {sign(t, jose.RS512, k.rsa, claims{}), true},
		"another algorithm":  {sign(t, jose.RS256, k.rsa, claims{}), false},
		"for encryption":     {sign(t, jose.RS256, k.other, claims{}), false},
		"a published secret": {sign(t, jose.HS256, []byte(secret), claims{}), false},
		"a private key":      {sign(t, jose.ES256, k.p256, claims{}), false},
	} {
		if r := reasonOf(t, j, c.token); (r == "") != c.ok {
			t.Errorf("%s: %q", name, r)
		}
	}
}
