package mqtt

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/connectors/mqtt/shared"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// poisons are calls for which the broker may end a connection. do returns the call, or nil if it has no result.
var poisons = []struct {
	name string
	do   func(t *testing.T, b *brokertest.StrictBroker, c gateway.Connector) *connectortest.Call
}{
	{"publish QoS 0", poisonPublish(0)},
	{"publish QoS 1", poisonPublish(1)},
	{"publish QoS 2", poisonPublish(2)},
	{"subscribe", func(t *testing.T, _ *brokertest.StrictBroker, c gateway.Connector) *connectortest.Call {
		call := connectortest.NewCall()
		brokertest.LoginTo(t, c, "evil", "l").Subscribe("bad", 1, call.Done)
		return call
	}},
	{"unsubscribe", func(t *testing.T, b *brokertest.StrictBroker, c gateway.Connector) *connectortest.Call {
		call := connectortest.NewCall()
		b.Set(true)
		s := brokertest.LoginTo(t, c, "evil", "l")
		if r := connectortest.Subscribe(t, s, "bad", 1); !r.Ok() {
			t.Fatal(r)
		}
		b.Set(false)
		s.Unsubscribe("bad", call.Done)
		return call
	}},
	{"raw publish", func(t *testing.T, _ *brokertest.StrictBroker, c gateway.Connector) *connectortest.Call {
		call := connectortest.NewCall()
		brokertest.LoginTo(t, c, "raw", "").Publish("bad", 1, []byte("x"), nil, call.Done)
		return call
	}},
	{"login with status", func(t *testing.T, _ *brokertest.StrictBroker, c gateway.Connector) *connectortest.Call {
		brokertest.LoginTo(t, c, "bad", "l")
		return nil
	}},
	{"resubscribe", func(t *testing.T, b *brokertest.StrictBroker, c gateway.Connector) *connectortest.Call {
		b.Set(true)
		s := brokertest.LoginTo(t, c, "evil", "l")
		for _, filter := range []string{"a", "bad", "c"} {
			if r := connectortest.Subscribe(t, s, filter, 1); !r.Ok() {
				t.Fatal(r)
			}
		}
		b.Set(false)
		b.Cut()
		return nil
	}},
}

func poisonPublish(qos byte) func(*testing.T, *brokertest.StrictBroker, gateway.Connector) *connectortest.Call {
	return func(t *testing.T, _ *brokertest.StrictBroker, c gateway.Connector) *connectortest.Call {
		call := connectortest.NewCall()
		brokertest.LoginTo(t, c, "evil", "l").Publish("bad", qos, []byte("x"), nil, call.Done)
		return call
	}
}

// TestEveryEnding ends connections with each DISCONNECT reason, and without one, for each kind of call in both session
// modes. QoS 1 publishes of other devices must arrive, the bad call must be refused or set aside once, and the broker
// must have ended few connections.
func TestEveryEnding(t *testing.T) {
	reasons := append([]reason{{name: "no reason"}}, everyReason...)
	for _, mode := range []string{"device", "shared", "device with spool", "shared with spool"} {
		for _, r := range reasons {
			for _, poison := range poisons {
				t.Run(fmt.Sprintf("%s/0x%02X/%s", mode, r.code, poison.name), func(t *testing.T) {
					t.Parallel()
					testEnding(t, mode, r.code, poison.do)
				})
			}
		}
	}
}

func testEnding(t *testing.T, mode string, reason byte, do func(*testing.T, *brokertest.StrictBroker,
	gateway.Connector) *connectortest.Call,
) {
	began := time.Now()
	b := brokertest.NewStrictBroker(t, reason)
	var log gatewaytest.Log
	cfg := client.Config{
		URL: b.URL(), ReconnectDelay: brokertest.Unit, Logger: log.Logger(), DeviceStatus: client.Status{
			Topic: "${clientid}/status",
			QoS:   1,
		},
		Metrics: client.NewMetrics(nil),
	}
	if strings.HasSuffix(mode, "spool") {
		cfg.Spool.Folder = t.TempDir() + "/spool"
	}
	var c gateway.Connector
	if strings.HasPrefix(mode, "shared") {
		c = newShared(t, cfg, shared.Config{Connections: 1})
	} else {
		c = newConnector(t, cfg)
	}
	var others []gateway.Session
	for n := range 3 {
		others = append(others, brokertest.LoginTo(t, c, fmt.Sprintf("good-%d", n), "l"))
	}
	poison := strings.TrimPrefix(t.Name(), fmt.Sprintf("TestEveryEnding/%s/0x%02X/", strings.ReplaceAll(mode, " ", "_"),
		reason))
	call := do(t, b, c)
	published := 0
	publish := func() {
		for n, s := range others {
			if r := connectortest.Publish(t, s, fmt.Sprintf("good-%d", n), 1, "x"); !r.Ok() {
				t.Fatalf("a bystander: %v\n%s", r, log.String())
			}
		}
		published++
	}
	publish()
	stored := cfg.Spool.Folder != "" && (poison == "publish_QoS_1" || poison == "publish_QoS_2" ||
		poison == "raw_publish")
	if call != nil {
		if r := call.Result(t); r.Ok() != stored && poison != "publish_QoS_0" {
			t.Errorf("the bad call: %v", r)
		}
	}
	// The device ends, not the call.
	takenOver := reason == packets.DisconnectSessionTakenOver && strings.HasPrefix(mode, "device")
	publish()
	if poison != "publish_QoS_0" && !takenOver {
		// three ends without a reason may be another client's doing
		gatewaytest.Eventually(t, "the conviction", func() bool {
			return clienttest.Convictions(t, cfg.Metrics) > 0 || (strings.HasSuffix(poison, "subscribe") &&
				clienttest.CountedIn(t, cfg.Metrics, "losses_total", "three_losses") > 0)
		})
	}
	if stored && !takenOver {
		gatewaytest.Eventually(t, "the bad call to be set aside", func() bool {
			list, err := client.ListRefused(cfg.Spool.Folder)
			return err == nil && len(list) == 1 && list[0].Topic == "bad"
		})
	}
	publish()
	gatewaytest.Eventually(t, "what bystanders published", func() bool {
		for n := range others {
			if b.Took(fmt.Sprintf("good-%d", n)) < published {
				return false
			}
		}
		return true
	})
	// A conviction counts for 60 units. After that, a reconnect announces a bad status again.
	forgotten := int(time.Since(began) / (60 * brokertest.Unit))
	// The broker also refuses the same filter when resubscribing.
	if n := clienttest.Convictions(t, cfg.Metrics); int(n) > 1+forgotten && poison != "unsubscribe" {
		t.Errorf("%v convictions", n)
	}
	if most, all := b.Endings(); most > 6 || all > 8*(1+forgotten) {
		t.Errorf("the broker ended %d connections within 30 units, and %d in all\n%s", most, all, log.String())
	}
	if n := b.Took("bad"); n > 0 {
		t.Errorf("the broker took %d", n)
	}
}
