package chaos

import (
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
)

// restarts is how often a test takes away the broker or the gateway.
const restarts = 5

// TestBrokerRestarts restarts the broker under devices that publish: they notice nothing but the wait.
func TestBrokerRestarts(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		b := mosquitto.Start(t, mosquitto.Options{})
		l := subscribe(t, b, sizeOfRun().devices)
		g := startGateway(t, b, m.settings, "")
		f := newFleet(t, g.devices, sizeOfRun())
		begun := time.Now()
		f.advance(f.size.messages, func() {
			for i := range restarts {
				f.awaitShare(float64(i+1) / (restarts + 1))
				b.Stop(t)
				b.Restart(t)
			}
		})
		copies := l.check(t, f.total(), restarts)
		resent := int(g.metric("exgate_mqtt_resent_total"))
		t.Logf("%d messages, %d copies, %d sent again by the gateway, %d restarts, %.1f s",
			f.total(), copies, resent, restarts, time.Since(begun).Seconds())
		if copies > resent {
			t.Errorf("%d messages came again, and only %d were sent again", copies, resent)
		}
		if n := f.reconnects.Load(); n > 0 {
			t.Errorf("%d devices lost their connection", n)
		}
		if n := g.metric("exgate_connections_closed_total", "discarded"); n > 0 {
			t.Errorf("%v devices were discarded", n)
		}
	})
}
