package mqtt

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// BenchmarkManySpool: 1,000 devices publish b.N messages of 64 B at QoS 1, each with one unacknowledged, to the disk first and without it. The rate
// counts to the last SUCCESS, the drained one to the broker's last PUBACK.
func BenchmarkManySpool(b *testing.B) {
	broker := mosquitto.Start(b, mosquitto.Options{})
	for _, mode := range []string{"device", "shared"} {
		b.Run(mode, func(b *testing.B) {
			cfg := Config{URL: broker.URL(), Node: "plain"}
			plain := sessionsOf(b, mode, cfg)
			plain.attach(b, manyDevices, func() {})
			defer plain.leave()
			cfg.Node, cfg.Spool = "spooled", SpoolConfig{Folder: b.TempDir()}
			spooled := sessionsOf(b, mode, cfg)
			spooled.prefix = "spooled"
			spooled.attach(b, manyDevices, func() {})
			defer spooled.leave()
			start := time.Now()
			publishMany(b, plain, 1)
			without := time.Since(start)
			start = time.Now()
			publishMany(b, spooled, 1)
			with := time.Since(start)
			gatewaytest.Eventually(b, "the spool to be empty", func() bool { return gatewaytest.Metric(b, spooled.metrics, "exgate_spool_records") == 0 })
			drained := time.Since(start)
			b.ReportMetric(float64(b.N)/without.Seconds(), "plain/s")
			b.ReportMetric(float64(b.N)/with.Seconds(), "spooled/s")
			b.ReportMetric(float64(b.N)/drained.Seconds(), "drained/s")
			b.ReportMetric(without.Seconds()/with.Seconds(), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func sessionsOf(b *testing.B, mode string, cfg Config) *ofSessions {
	b.Helper()
	m := &ofSessions{metrics: prometheus.NewRegistry(), prefix: "device"}
	cfg.Metrics = NewMetrics(m.metrics)
	switch mode {
	case "device":
		m.connector = newConnector(b, cfg)
	case "shared":
		m.connector = newShared(b, cfg, SharedConfig{})
	default:
		b.Fatal(fmt.Sprint("no mode ", mode))
	}
	return m
}
