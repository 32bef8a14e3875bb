package mqtt

import (
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
)

// TestPausedBroker pauses a real broker: QoS 1 and 2 publishes wait, the gateway notices, and all arrive in order after
// the broker resumes. mosquitto may have accepted messages before the pause, so duplicates are possible.
func TestPausedBroker(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(cfg *client.Config)
	}{
		{"the acknowledgement is missed", func(cfg *client.Config) { cfg.AckTimeout = 3 * time.Second }},
		{"the answer to PINGREQ is missed", func(cfg *client.Config) {
			cfg.KeepAlive, cfg.PacketTimeout = time.Second, 3*time.Second
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := mosquitto.Start(t, mosquitto.Options{})
			d := brokertest.Listen(t, newConnector(t, clienttest.Lasting(b.URL())), "t/#")
			cfg := clienttest.Quick(b.URL())
			cfg.ConnectTimeout = 2 * time.Second
			c.prepare(&cfg)
			connector := newConnector(t, cfg)
			s, own := brokertest.Connect(t, connector, "device")
			publishWindow(s, 20)[19].Result(t)
			b.Pause(t)
			waiting := publishWindow(s, 100)
			clienttest.AwaitLoss(t, connector.broker, "unanswered", 1)
			for i, call := range waiting {
				if call.Times() > 0 {
					t.Fatalf("publish %d succeeded while the broker was paused", i)
				}
			}
			b.Resume(t)
			for i, call := range waiting {
				if r := call.Result(t); !r.Ok() {
					t.Fatalf("publish %d: %v", i, r)
				}
			}
			if r := connectortest.Publish(t, s, "t", 1, "x"); !r.Ok() {
				t.Fatal(r)
			}
			brokertest.WantNumbers(t, d, 0, 20)
			brokertest.WantNumbers(t, d, 0, 100)
			if own.Losses() != 0 || d.Losses() != 0 {
				t.Fatal("a session was lost")
			}
			sent, again := clienttest.Counted(t, connector.broker, "published_total", "1"),
				clienttest.Counted(t, connector.broker, "resent_total")
			sent += clienttest.Counted(t, connector.broker, "published_total", "2")
			if sent-again != 121 || again > 1 {
				t.Fatalf("%v publishes sent, %v of them again", sent, again)
			}
		})
	}
}
