package mqtt

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// rival is one of two sessions with the same client id, at two gateways.
type rival struct {
	gateway.Session
	device *connectortest.Device
}

// TestRivals connects the same devices at two gateways: soon one of each pair remains, and works. mosquitto closes the
// other's connection without DISCONNECT. Devices at only one gateway are not affected.
func TestRivals(t *testing.T) {
	t.Parallel() // the pauses before reconnects take seconds
	for _, pairs := range []int{1, 5} {
		t.Run(strconv.Itoa(pairs)+" pairs", func(t *testing.T) {
			t.Parallel()
			b := mosquitto.Start(t, mosquitto.Options{})
			cfg := client.Config{URL: b.URL()}
			gateways := [2]*Connector{newConnector(t, cfg), newConnector(t, cfg)}
			var alone []*connectortest.Device
			for i := range 2 * pairs {
				_, d := brokertest.Connect(t, gateways[i%2], fmt.Sprint("alone-", i))
				alone = append(alone, d)
			}
			rivals := make([][2]rival, pairs)
			for i := range rivals {
				for j, c := range gateways {
					s, d := brokertest.Connect(t, c, fmt.Sprint("device-", i))
					rivals[i][j] = rival{s, d}
				}
			}
			gatewaytest.Eventually(t, "one of each pair to give up", func() bool {
				return clienttest.Counted(t, gateways[0].broker, "sessions")+
					clienttest.Counted(t, gateways[1].broker, "sessions") <= float64(pairs+len(alone))
			})
			for i, pair := range rivals {
				wantOneLeft(t, fmt.Sprint("own/", i), pair)
			}
			for i, d := range alone {
				if d.Losses() > 0 {
					t.Errorf("device %d had no rival and was lost", i)
				}
			}
			n := connects(t, gateways[0]) + connects(t, gateways[1]) - len(alone)
			if t.Logf("%d connections for %d pairs", n, pairs); n >= 15*pairs {
				t.Error("that is too many")
			}
		})
	}
}

// connects returns the number of CONNECTs that the broker accepted.
func connects(t testing.TB, c *Connector) int {
	t.Helper()
	first := clienttest.Counted(t, c.broker, "connects_total", "ok")
	again := clienttest.Counted(t, c.broker, "reconnects_total")
	return int(first + again)
}

func wantOneLeft(t *testing.T, topic string, pair [2]rival) {
	t.Helper()
	gatewaytest.Eventually(t, "one session to be lost",
		func() bool { return pair[0].device.Losses()+pair[1].device.Losses() == 1 })
	left, lost := pair[0], pair[1]
	if left.device.Losses() > 0 {
		left, lost = lost, left
	}
	if r := lost.device.Lost(t); !r.Is(gateway.ReasonDiscarded) {
		t.Errorf("the other was lost with %v", r)
	}
	if r := connectortest.Publish(t, lost, topic, 1, "x"); r.Code != gateway.CodeConnProcessNotAlive {
		t.Errorf("the other publishes: %v", r)
	}
	if r := connectortest.Subscribe(t, left, topic, 1); !r.Ok() {
		t.Fatal(r)
	}
	if r := connectortest.Publish(t, left, topic, 1, "x"); !r.Ok() {
		t.Fatal(r)
	}
	if m := left.device.Next(t); m.Topic != topic {
		t.Fatalf("got %q", m.Topic)
	}
}
