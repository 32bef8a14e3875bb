package admin_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/admin"
)

func TestHandler(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "exgate_test_total", Help: "Tests."})
	registry.MustRegister(counter)
	counter.Add(3)
	ready := make(chan error, 2)
	ready <- nil
	ready <- errors.New("the broker is away")
	server := httptest.NewServer(admin.Handler(registry, func() error { return <-ready }))
	defer server.Close()

	for _, test := range []struct {
		method, path string
		status       int
		body         string
	}{
		{http.MethodGet, "/metrics", 200, "exgate_test_total 3\n"},
		{http.MethodGet, "/healthz", 200, "ok\n"},
		{http.MethodHead, "/healthz", 200, ""},
		{http.MethodGet, "/readyz", 200, "ok\n"},
		{http.MethodGet, "/readyz", 503, "the broker is away\n"},
		{http.MethodPost, "/metrics", 405, "Method Not Allowed\n"},
		{http.MethodGet, "/", 404, "404 page not found\n"},
	} {
		request, err := http.NewRequest(test.method, server.URL+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != test.status || !strings.Contains(string(body), test.body) {
			t.Errorf("%s %s: %s %q %v, want %d %q", test.method, test.path, response.Status, body, err, test.status,
				test.body)
		}
	}
}
