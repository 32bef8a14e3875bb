package chaos

import (
	"strings"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestQoS0WithoutBroker has messages of QoS 0 refused and counted while the broker is down, one by one, and one of QoS
// 1 wait for it.
func TestQoS0WithoutBroker(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		b := mosquitto.Start(t, mosquitto.Options{})
		g := startGateway(t, b, m.settings, "")
		d, err := login(g.devices, "d")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		refused := 0
		publish := func(n int) {
			if err := d.write(strings.Repeat("pub t x\n", n)); err != nil {
				t.Fatal(err)
			}
			lines, err := d.ping()
			if err != nil {
				t.Fatal(err)
			}
			refused += lines
		}
		dropped := func() int { return int(g.metric("exgate_mqtt_dropped_total", "upstream_down")) }
		b.Stop(t)
		gatewaytest.Eventually(t, "the gateway to notice", func() bool { publish(1); return dropped() > 0 })

		before := dropped()
		publish(100)
		if n := dropped() - before; n != 100 {
			t.Errorf("%d messages were dropped, want 100", n)
		}
		for ; refused < dropped(); refused++ {
			if line, err := d.read(); err != nil || !strings.HasPrefix(line, "error: publish refused") {
				t.Fatalf("%q, %v", line, err)
			}
		}
		if err := d.write("pub1 t x\n"); err != nil {
			t.Fatal(err)
		}
		b.Restart(t)
		if err := d.confirm(); err != nil {
			t.Fatal(err)
		}
	})
}
