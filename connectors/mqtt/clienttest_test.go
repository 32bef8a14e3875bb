package mqtt

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// These helpers use only what the client exports, so that they can be a package below the tests of shared sessions and
// of Connector.

// awaitDown waits until a client has noticed that its connection is lost.
func awaitDown(t testing.TB, c *client) {
	t.Helper()
	gatewaytest.Eventually(t, "the loss to be noticed", func() bool { return !c.State().Connected })
}

// cutClient closes the connection of a client, as a cable that is pulled.
func cutClient(c *client) { c.Break(func(State) bool { return true }) }

// cutSettled cuts a connection over which nothing is unacknowledged: that would be sent again.
func cutSettled(t testing.TB, c *client) {
	t.Helper()
	gatewaytest.Eventually(t, "a connection without unacknowledged publishes", func() bool {
		return c.Break(func(s State) bool { return s.Inflight == 0 })
	})
}

// counted returns the sum of a broker's metrics exgate_mqtt_NAME with all of these label values.
func counted(t testing.TB, b *broker, name string, labels ...string) float64 {
	t.Helper()
	return countedIn(t, b.config().Metrics, name, labels...)
}

// countedIn is counted for the metrics of several brokers.
func countedIn(t testing.TB, m *Metrics, name string, labels ...string) float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(m)
	return gatewaytest.Metric(t, reg, "exgate_mqtt_"+name, labels...)
}

// awaitLoss waits until n connections to a broker were lost for a reason.
func awaitLoss(t testing.TB, b *broker, reason string, n float64) {
	t.Helper()
	gatewaytest.Eventually(t, fmt.Sprintf("%v lost connections, reason %s", n, reason),
		func() bool { return counted(t, b, "losses_total", reason) >= n })
}

// quick returns a configuration with short reconnect delays.
func quick(url string) Config {
	return Config{URL: url, ReconnectDelay: 10 * time.Millisecond}
}

func convictions(t testing.TB, m *Metrics) float64 {
	t.Helper()
	return countedIn(t, m, "calls_convicted_total")
}

// spooled returns a configuration with its own spool.
func spooled(t *testing.T, url string) Config {
	t.Helper()
	cfg := quick(url)
	cfg.Spool.Folder = t.TempDir()
	return cfg
}

// lasting configures sessions that the broker keeps over its restart.
func lasting(url string) Config {
	cfg := quick(url)
	cfg.SessionExpiry = time.Minute
	return cfg
}
