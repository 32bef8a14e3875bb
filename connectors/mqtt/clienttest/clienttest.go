// Package clienttest has what the tests of shared sessions and of device sessions need of clients: configurations with
// short delays, lost connections, and metrics by name. It uses only what package client exports.
package clienttest

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// AwaitDown waits until a client has noticed that its connection is lost.
func AwaitDown(t testing.TB, c *client.Client) {
	t.Helper()
	gatewaytest.Eventually(t, "the loss to be noticed", func() bool { return !c.State().Connected })
}

// CutClient closes the connection of a client, as a pulled cable does.
func CutClient(c *client.Client) { c.Break(func(client.State) bool { return true }) }

// CutSettled cuts a connection over which nothing is unacknowledged: that would be sent again.
func CutSettled(t testing.TB, c *client.Client) {
	t.Helper()
	gatewaytest.Eventually(t, "a connection without unacknowledged publishes", func() bool {
		return c.Break(func(s client.State) bool { return s.Inflight == 0 })
	})
}

// Counted returns the sum of a broker's metrics exgate_mqtt_NAME with all of these label values.
func Counted(t testing.TB, b *client.Broker, name string, labels ...string) float64 {
	t.Helper()
	return CountedIn(t, b.Config().Metrics, name, labels...)
}

// CountedIn is Counted for the metrics of several brokers.
func CountedIn(t testing.TB, m *client.Metrics, name string, labels ...string) float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(m)
	return gatewaytest.Metric(t, reg, "exgate_mqtt_"+name, labels...)
}

// AwaitLoss waits until n connections to a broker were lost for a reason.
func AwaitLoss(t testing.TB, b *client.Broker, reason string, n float64) {
	t.Helper()
	gatewaytest.Eventually(t, fmt.Sprintf("%v lost connections, reason %s", n, reason),
		func() bool { return Counted(t, b, "losses_total", reason) >= n })
}

// Quick returns a configuration with short reconnect delays.
func Quick(url string) client.Config {
	return client.Config{URL: url, ReconnectDelay: 10 * time.Millisecond}
}

// Convictions returns the number of convicted calls.
func Convictions(t testing.TB, m *client.Metrics) float64 {
	t.Helper()
	return CountedIn(t, m, "calls_convicted_total")
}

// Spooled returns a configuration with its own spool.
func Spooled(t *testing.T, url string) client.Config {
	t.Helper()
	cfg := Quick(url)
	cfg.Spool.Folder = t.TempDir()
	return cfg
}

// Lasting configures sessions that the broker keeps over its restart.
func Lasting(url string) client.Config {
	cfg := Quick(url)
	cfg.SessionExpiry = time.Minute
	return cfg
}
