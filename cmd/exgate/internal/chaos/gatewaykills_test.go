package chaos

import (
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
)

// spool has no pace of its own: the test is to be quick.
const spool = "\n  spool: {folder: spool, drain_rate: 1000000}"

// TestGatewayKills kills the gateway under devices that publish, once while the broker restarts. The last messages are
// stored while the broker is away, and the devices leave before it is back.
func TestGatewayKills(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		b := mosquitto.Start(t, mosquitto.Options{})
		l := subscribe(t, b, sizeOfRun().devices)
		g := startGateway(t, b, m.settings+spool, "")
		f := newFleet(t, g.devices, sizeOfRun())
		begun := time.Now()
		before := f.size.messages * 9 / 10
		f.advance(before, func() {
			for i := range restarts {
				f.awaitShare(float64(i+1) / (restarts + 1) * 0.9)
				g.process.Kill()
				if i == restarts/2 {
					b.Stop(t)
					b.Restart(t)
				}
				g.run()
			}
		})
		before++
		// those whose connection the last kill took connect again: without the broker they cannot log in
		f.advance(before, func() {})
		b.Stop(t)
		f.advance(f.size.messages, func() {})
		left := g.metric("exgate_spool_records")
		reconnects := f.reconnects.Load()
		f.leave()
		b.Restart(t)
		// The gateway sends again what it does not know to be acknowledged, and so does the device.
		copies := l.check(t, f.total(), 2*(restarts+1))
		t.Logf("%d messages, %d of them left behind, %d copies, %d unacknowledged by %d devices that connected "+
			"again, %d kills, %.1f s",
			f.total(), int(left), copies, f.unacked.Load(), reconnects, restarts, time.Since(begun).Seconds())
		if want := float64(f.total() - before*f.size.devices); left < want {
			t.Errorf("%v messages were left behind, want %v", left, want)
		}
		if n := g.metric("exgate_connections_closed_total", "discarded"); n > 0 {
			t.Errorf("%v devices were discarded", n)
		}
	})
}
