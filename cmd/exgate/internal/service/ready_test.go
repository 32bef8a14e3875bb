package service_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

const metricsAnywhere = "metrics: {bind: \"127.0.0.1:0\"}\nlisteners: {l: {bind: \"127.0.0.1:0\", handler: {wasm: " +
	"\"builtin:line\"}}}\n"

func (r *running) get(path string) (status int, body string) {
	r.t.Helper()
	answer, err := http.Get(fmt.Sprintf("http://%s%s", r.addr("metrics"), path))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestReady says in /readyz and in a metric whether the broker can be reached, with no device connected. /healthz does
// not depend on it.
func TestReady(t *testing.T) {
	for _, mode := range []string{"", ", session: shared, authentication: {chain: [allow]}"} {
		r := runAt(t, fmt.Sprintf("url: %q%s", "mqtt://"+gatewaytest.FreeAddress(t), mode), metricsAnywhere)
		if err := r.BrokerReachable(t.Context()); err == nil {
			t.Fatal("a broker that is not there can be reached")
		}
		if status, body := r.get("/readyz"); status != http.StatusServiceUnavailable ||
			!strings.Contains(body, "upstream.url") {
			t.Errorf("/readyz: %d %q", status, body)
		}
		if status, _ := r.get("/healthz"); status != http.StatusOK {
			t.Errorf("/healthz: %d", status)
		}
		if _, metrics := r.get("/metrics"); !strings.Contains(metrics, "\nexgate_upstream_up 0\n") {
			t.Error("the metric does not say that the broker is away")
		}
		r.stop()
	}
	b := mosquitto.Start(t, mosquitto.Options{})
	for _, upstream := range []string{fmt.Sprintf("url: %q", b.URL()), `embedded: {bind: "127.0.0.1:0"}`} {
		r := runAt(t, upstream, metricsAnywhere)
		if err := r.BrokerReachable(t.Context()); err != nil {
			t.Fatal(err)
		}
		if status, body := r.get("/readyz"); status != http.StatusOK || body != "ok\n" {
			t.Errorf("%s: /readyz: %d %q", upstream, status, body)
		}
		if _, metrics := r.get("/metrics"); !strings.Contains(metrics, "\nexgate_upstream_up 1\n") {
			t.Errorf("%s: the metric does not say that the broker is there", upstream)
		}
		r.stop()
	}
}
