package access_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// serve runs a service until the test ends.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func newHTTP(t *testing.T, cfg access.HTTPConfig) *access.HTTP {
	t.Helper()
	h, err := access.NewHTTP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestHTTPQuestion(t *testing.T) {
	got := make(chan map[string]string, 1)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		asked := map[string]string{}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get("Authorization") != "Bearer x" {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		got <- asked
	})
	h := newHTTP(t, access.HTTPConfig{URL: s.URL, Headers: http.Header{"Authorization": {"Bearer x"}}})
	_, _ = h.Authenticate(t.Context(), gateway.Device{
		ClientInfo: gateway.ClientInfo{ClientID: "c", Username: "u", ProtoName: "P", ProtoVersion: "1"},
		Peer:       netip.MustParseAddrPort("192.0.2.1:99"), Listener: "l", Module: "m",
	}, "<p>&")
	want := map[string]string{
		"clientid": "c", "username": "u", "password": "<p>&", "proto_name": "P", "proto_ver": "1",
		"peer": "192.0.2.1:99", "listener": "l", "module": "m",
	}
	if asked := <-got; !maps.Equal(asked, want) {
		t.Errorf("asked %v", asked)
	}
}

func TestHTTPAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   access.Decision
		fails  string
	}{
		{200, `{"result":"allow"}`, access.Allow, ""},
		{
			200, `{"result":"allow","is_superuser":null,"acl":null,"expire_at":null,"client_attrs":{"a":"b"}}`,
			access.Allow, "",
		},
		{200, `{"result":"deny"}`, access.Deny, ""},
		{200, `{"result":"ignore"}`, access.Ignore, ""},
		{204, ``, access.Allow, ""},
		{401, `no`, access.Deny, ""},
		{403, ``, access.Deny, ""},
		{200, fmt.Sprintf(`{"result":"allow","expire_at":%d}`, time.Now().Unix()-10), access.Deny, ""},
		{200, ``, 0, "did not answer with a JSON object"},
		{200, `allow`, 0, "did not answer with a JSON object"},
		{200, `null`, 0, "did not answer with a JSON object"},
		{200, `{}`, 0, "without a result"},
		{200, `{"Result":"allow"}`, 0, "without a result"},
		{200, `{"result":true}`, 0, "without a result"},
		{200, `{"result":"yes"}`, 0, "other than allow, deny, ignore"},
		{200, `{"result":"allow","is_superuser":"yes"}`, 0, "is_superuser"},
		{200, fmt.Sprintf(`{"result":"allow","expire_at":%d}`, time.Now().UnixMilli()), 0, "expire_at"},
		{200, `{"result":"allow","expire_at":"tomorrow"}`, 0, "expire_at"},
		{
			200, `{"result":"allow","acl":[{"permission":"allow","action":"all","topic":"a/#/b"}]}`, 0,
			`acl of the service's answer: rule 1: topic "a/#/b"`,
		},
		{200, `{"result":"allow","acl":"all"}`, 0, "want a list of rules"},
		{200, `{"result":"allow","pad":"` + strings.Repeat("x", 64<<10) + `"}`, 0, "longer than 65536 bytes"},
		{201, `{"result":"allow"}`, 0, "the service answered 201"},
		{404, ``, 0, "the service answered 404"},
		{429, ``, 0, "the service answered 429"},
		{500, `{"result":"allow"}`, 0, "the service answered 500: want 200, 204, 401 or 403"},
	} {
		s := serve(t, says(c.status, c.body))
		answer, err := newHTTP(t, access.HTTPConfig{URL: s.URL}).Authenticate(t.Context(), device("c", "u"), "p")
		if answer.Decision != c.want || answer.Decision == access.Deny && answer.Reason == "" {
			t.Errorf("%d %.60s: %v", c.status, c.body, answer)
		}
		told := err != nil && strings.Contains(err.Error(), c.fails) && strings.Contains(err.Error(), s.URL)
		if c.fails == "" && err != nil || c.fails != "" && !told {
			t.Errorf("%d %.60s: %v", c.status, c.body, err)
		}
	}
}

func TestHTTPAnswerIsTaken(t *testing.T) {
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	s := serve(t, says(200, fmt.Sprintf(`{"result":"allow","expire_at":%d,"acl":[
		{"permission":"deny","action":"all","topic":"t/${clientid}/secret"},
		{"permission":"allow","action":"publish","topics":["t/${clientid}/#","u"]}]}`, at.Unix())))
	answer, err := newHTTP(t, access.HTTPConfig{URL: s.URL}).Authenticate(t.Context(), device("c", "u"), "p")
	if err != nil || !answer.Expires.Equal(at) || answer.Superuser {
		t.Fatal(answer, err)
	}
	for topic, want := range map[string]bool{"t/c/x": true, "t/c/secret": false, "u": true, "t/d/x": false} {
		if got := answer.Allows(device("c", "u"), access.Publish, topic, nil); got != want {
			t.Errorf("%s: %v", topic, got)
		}
	}
	for _, yes := range []string{`true`, `1`, `"true"`} {
		s := serve(t, says(200, `{"result":"allow","is_superuser":`+yes+`}`))
		if answer, err := newHTTP(t, access.HTTPConfig{URL: s.URL}).Authenticate(t.Context(), device("c", "u"),
			"p"); err != nil || !answer.Superuser {
			t.Error(yes, answer, err)
		}
	}
}

func TestHTTPFollowsNoRedirect(t *testing.T) {
	reached := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the password went elsewhere") })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, reached.URL, http.StatusTemporaryRedirect)
	})
	if answer, err := newHTTP(t, access.HTTPConfig{URL: s.URL}).Authenticate(t.Context(), device("c", "u"),
		"p"); err == nil {
		t.Error(answer)
	}
}

func TestHTTPTimeout(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	h := newHTTP(t, access.HTTPConfig{URL: s.URL, Timeout: 50 * time.Millisecond})
	if _, err := h.Authenticate(t.Context(), device("c", "u"), "p"); err == nil ||
		err.Error() != "asking "+s.URL+": no answer within 50ms" {
		t.Error(err)
	}
}

func TestHTTPOverTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(says(204, ""))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	h := newHTTP(t, access.HTTPConfig{URL: s.URL, TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}})
	if got := decide(t, h, "u", "p"); got != access.Allow {
		t.Error(got)
	}
	if answer, err := newHTTP(t, access.HTTPConfig{URL: s.URL}).Authenticate(t.Context(), device("c", "u"),
		"p"); err == nil {
		t.Errorf("a certificate that nobody trusts: %v", answer)
	}
}

// TestHTTPCache asks from another port each time, as devices that reconnect do.
func TestHTTPCache(t *testing.T) {
	var asked atomic.Int64
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		says(200, `{"result":"allow"}`)(w, r)
	})
	reg := prometheus.NewRegistry()
	h := newHTTP(t, access.HTTPConfig{URL: s.URL, CacheTTL: time.Hour, Metrics: access.NewMetrics(reg)})
	h.SetCacheSize(2)
	port := uint16(1000)
	ask := func(username, password string, want int64) {
		t.Helper()
		port++
		d := device("c", username)
		d.Peer = netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port)
		if answer, err := h.Authenticate(t.Context(), d, password); err != nil || answer.Decision != access.Allow {
			t.Fatal(answer, err)
		}
		if n := asked.Load(); n != want {
			t.Fatalf("asked %d times, want %d", n, want)
		}
	}
	ask("a", "p", 1)
	ask("a", "p", 1)
	ask("ap", "", 2)
	ask("a", "p", 2)
	ask("a", "q", 3) // the least used, ap, makes room
	ask("a", "p", 3)
	ask("ap", "", 4)
	for result, want := range map[string]float64{"hit": 3, "miss": 4} {
		if n := gatewaytest.Metric(t, reg, "exgate_auth_cache_total", result); n != want {
			t.Errorf("%s: %v", result, n)
		}
	}
}

func TestHTTPCacheKeepsNoErrors(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	h := newHTTP(t, access.HTTPConfig{URL: s.URL, CacheTTL: time.Hour})
	if _, err := h.Authenticate(t.Context(), device("c", "u"), "p"); err == nil {
		t.Fatal("503 is no error")
	}
	broken.Store(false)
	if got := decide(t, h, "u", "p"); got != access.Allow {
		t.Error(got)
	}
}

// TestHTTPSharesQuestions holds the service until everybody waits: one request for those who ask the same, and no more
// than the bound at a time.
func TestHTTPSharesQuestions(t *testing.T) {
	var open, most, requests atomic.Int64
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		n := open.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release
		open.Add(-1)
		w.WriteHeader(http.StatusNoContent)
	})
	h := newHTTP(t, access.HTTPConfig{URL: s.URL, Timeout: time.Minute})
	h.SetMaxInFlight(2)
	var done sync.WaitGroup
	var allowed atomic.Int64
	for i := range 40 {
		done.Go(func() {
			answer, err := h.Authenticate(t.Context(), device("c", fmt.Sprint("u", i%4)), "p")
			if err == nil && answer.Decision == access.Allow {
				allowed.Add(1)
			}
		})
	}
	gatewaytest.Eventually(t, "two requests are there, and all wait", func() bool {
		return open.Load() == 2 && h.Waiting() == 40
	})
	close(release)
	done.Wait()
	if allowed.Load() != 40 || most.Load() != 2 || requests.Load() != 4 {
		t.Errorf("%d allowed, at most %d at a time, %d requests", allowed.Load(), most.Load(), requests.Load())
	}
}

// TestHTTPGoesOnWithoutTheFirst cancels the first of the logins that share a request.
func TestHTTPGoesOnWithoutTheFirst(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.WriteHeader(http.StatusNoContent)
	})
	h := newHTTP(t, access.HTTPConfig{URL: s.URL, Timeout: time.Minute})
	ctx, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan access.Answer, 1)
	go func() { _, err := h.Authenticate(ctx, device("c", "u"), "p"); first <- err }()
	gatewaytest.Eventually(t, "the first waits", func() bool { return h.Waiting() == 1 })
	go func() { answer, _ := h.Authenticate(t.Context(), device("c", "u"), "p"); second <- answer }()
	gatewaytest.Eventually(t, "the second waits", func() bool { return h.Waiting() == 2 })
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	if answer := <-second; answer.Decision != access.Allow {
		t.Error(answer)
	}
}

func TestHTTPClosed(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	h := newHTTP(t, access.HTTPConfig{URL: s.URL, Timeout: time.Minute})
	failed := make(chan error, 1)
	go func() { _, err := h.Authenticate(t.Context(), device("c", "u"), "p"); failed <- err }()
	gatewaytest.Eventually(t, "the question is asked", func() bool { return h.Waiting() == 1 })
	h.Close()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := h.Authenticate(t.Context(), device("c", "u"), "p"); err == nil {
		t.Error("a closed authenticator answers")
	}
}

func TestHTTPDoesNotAskWhatJSONCannotCarry(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	h := newHTTP(t, access.HTTPConfig{URL: s.URL})
	if got := decide(t, h, "u", "\xff"); got != access.Deny {
		t.Error(got)
	}
}

func TestHTTPConfig(t *testing.T) {
	for _, cfg := range []access.HTTPConfig{
		{}, {URL: "ftp://h/"}, {URL: "http://"}, {URL: "http://h", Timeout: -1}, {URL: "http://h", CacheTTL: -1},
	} {
		if _, err := access.NewHTTP(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// TestHTTPTellsNoSecrets looks at the errors of all that can go wrong.
func TestHTTPTellsNoSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	gone := serve(t, says(200, ""))
	gone.Close()
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	teapot := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.Copy(w, r.Body)
	})
	for _, at := range []string{gone.URL, echo.URL, teapot.URL} {
		at = strings.Replace(at, "http://", "http://user:"+secret+"@", 1) + "/path?token=" + secret
		h := newHTTP(t, access.HTTPConfig{
			URL: at, Headers: http.Header{"Authorization": {secret}}, Timeout: 20 * time.Second,
		})
		_, err := h.Authenticate(t.Context(), device("c", "u"), secret)
		if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "/path") {
			t.Errorf("%v", err)
		}
	}
	if slices.ContainsFunc([]string{"http://u:" + secret + "@", "://" + secret}, func(at string) bool {
		_, err := access.NewHTTP(access.HTTPConfig{URL: at})
		return err == nil || strings.Contains(err.Error(), secret)
	}) {
		t.Error("an address is taken, or told")
	}
}
