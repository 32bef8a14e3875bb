package mqtt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/connectors/mqtt/shared"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

func wantMessage(t *testing.T, d *connectortest.Device, topic, payload string) {
	t.Helper()
	if m := d.Next(t); m.Topic != topic || string(m.Payload) != payload {
		t.Fatalf("got %q on %q, want %q on %q", m.Payload, m.Topic, payload, topic)
	}
}

// wantRetained expects a new subscriber to get payload as the retained message.
func wantRetained(t *testing.T, url, topic, payload string) {
	t.Helper()
	s, d := brokertest.Connect(t, newConnector(t, clienttest.Quick(url)), "late")
	defer s.Close()
	if r := connectortest.Subscribe(t, s, topic, 1); !r.Ok() {
		t.Fatal(r)
	}
	wantMessage(t, d, topic, payload)
}

func TestDeviceStatus(t *testing.T) {
	for qos := byte(0); qos <= 2; qos++ {
		b := mosquitto.Start(t, mosquitto.Options{})
		d := brokertest.Listen(t, newConnector(t, clienttest.Lasting(b.URL())), "devices/#")
		cfg := clienttest.Quick(b.URL())
		cfg.DeviceStatus = client.Status{Topic: "devices/${listener}/${clientid}", QoS: qos, Retain: true}
		c := newConnector(t, cfg)
		const topic = "devices/tcp-1/device"
		login := func() gateway.Session {
			s, err := c.Connect(t.Context(), full, "", connectortest.NewDevice())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := login()
		wantMessage(t, d, topic, "online")
		wantRetained(t, b.URL(), topic, "online")
		clienttest.CutSettled(t, s.(*Session).client)
		wantMessage(t, d, topic, "offline") // the will
		wantMessage(t, d, topic, "online")
		s.Close()
		wantMessage(t, d, topic, "offline")
		wantRetained(t, b.URL(), topic, "offline")

		login()
		wantMessage(t, d, topic, "online")
		s = login()                         // takes over
		wantMessage(t, d, topic, "offline") // the will of the previous session
		wantMessage(t, d, topic, "online")  // QoS 2: the broker gets it later than a QoS 1 publish that follows
		wantRetained(t, b.URL(), topic, "online")
		s.Close()
	}
}

// TestDeviceStatusGoesWithTheGateway closes the gateway.
func TestDeviceStatusGoesWithTheGateway(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newConnector(t, clienttest.Lasting(b.URL())), "devices/#")
	cfg := clienttest.Quick(b.URL())
	cfg.DeviceStatus = client.Status{Topic: "devices/${clientid}/${module}", Online: "1", Offline: "0"}
	c := newConnector(t, cfg)
	device := full
	device.Module = "decoder"
	if _, err := c.Connect(t.Context(), device, "", connectortest.NewDevice()); err != nil {
		t.Fatal(err)
	}
	wantMessage(t, d, "devices/device/decoder", "1")
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantMessage(t, d, "devices/device/decoder", "0")
}

func TestGatewayStatus(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newConnector(t, clienttest.Lasting(b.URL())), "gateways/#")
	cfg := clienttest.Quick(b.URL())
	cfg.Node, cfg.GatewayStatus = "site/1+", client.Status{Topic: "gateways/${node}", QoS: 1, Retain: true}
	c := newConnector(t, cfg)
	const topic = "gateways/site-1-"
	wantMessage(t, d, topic, "online")
	cutGatewayClient(t, c)
	wantMessage(t, d, topic, "offline")
	wantMessage(t, d, topic, "online")
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantMessage(t, d, topic, "offline")
	wantRetained(t, b.URL(), topic, "offline")
}

func cutGatewayClient(t *testing.T, c *Connector) {
	t.Helper()
	clienttest.CutSettled(t, c.broker.GatewayClient())
}

// TestStatusOfNobody expects a device to be refused if its status topic would be invalid.
func TestStatusOfNobody(t *testing.T) {
	b := brokertest.NewScripted(t, func(*brokertest.Peer) { t.Error("connected") })
	cfg := clienttest.Quick(b.URL())
	cfg.DeviceStatus = client.Status{Topic: "devices/${username}"}
	c := newConnector(t, cfg)
	// The last one makes the topic 65,536 bytes long.
	for _, username := range []string{"", "a+", "#", "a/b", strings.Repeat("${username}", 5957) + "x"} {
		device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "c", Username: username}}
		_, err := c.Connect(context.Background(), device, "", connectortest.NewDevice())
		var refused *gateway.ResultError
		if !errors.As(err, &refused) || refused.Result.Code != gateway.CodeParamsTypeError ||
			!strings.Contains(err.Error(), "${username}") {
			t.Errorf("%.20q: %v", username, err)
		}
	}
}

func TestBadStatus(t *testing.T) {
	for _, c := range []struct {
		device, gateway client.Status
		want            string
	}{
		{
			device: client.Status{Topic: "a/${node}"},
			want:   "upstream.device_status.topic: unknown placeholder ${node}; ",
		},
		{
			device: client.Status{Topic: "a/${clientid"},
			want:   "upstream.device_status.topic: unknown placeholder ${clientid; ",
		},
		{device: client.Status{Topic: "a/+"}, want: "upstream.device_status.topic: "},
		{device: client.Status{Topic: "a", QoS: 3}, want: "upstream.device_status.qos: must be 0, 1 or 2, not 3"},
		{gateway: client.Status{Topic: "a/${clientid}"}, want: "upstream.gateway_status.topic: unknown placeholder"},
		{gateway: client.Status{Topic: "#"}, want: "upstream.gateway_status.topic: "},
	} {
		_, err := New(client.Config{URL: "mqtt://127.0.0.1", DeviceStatus: c.device, GatewayStatus: c.gateway})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v %+v: %v", c.device, c.gateway, err)
		}
	}
}

// TestEveryRefusedWill uses a broker that refuses clients with a will to "bad/...", with each reason code about the
// client. The gateway client then connects without its status, since shared sessions and RawPublish need it. A device
// session gets an error that names the will.
func TestEveryRefusedWill(t *testing.T) {
	elsewhere := []byte{0x84, 0x88, 0x89, 0x8B, 0x9C, 0x9D}
	for _, r := range everyReason {
		if slices.Contains(elsewhere, r.code) {
			continue
		}
		t.Run(fmt.Sprintf("0x%02X", r.code), func(t *testing.T) {
			t.Parallel()
			published := make(chan string, 10)
			b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
				cp := p.Next()
				if cp == nil {
					return
				}
				ack := &packets.Connack{Properties: &packets.Properties{}}
				if c := cp.Content.(*packets.Connect); c.WillFlag && strings.HasPrefix(c.WillTopic, "bad/") {
					ack.ReasonCode = r.code
				}
				p.Send(ack)
				for cp := p.Next(); cp != nil; cp = p.Next() {
					switch c := cp.Content.(type) {
					case *packets.Publish:
						published <- c.Topic
						p.Puback(c.PacketID, 0)
					case *packets.Subscribe:
						p.Suback(c.PacketID, make([]byte, len(c.Subscriptions))...)
					}
				}
			})
			var log gatewaytest.Log
			cfg := clienttest.Quick(b.URL())
			cfg.PacketTimeout = time.Second
			cfg.Logger, cfg.GatewayStatus, cfg.Node = log.Logger(), client.Status{
				Topic: "bad/${node}", QoS: 1,
				Retain: true,
			}, "n"
			shared := newShared(t, cfg, shared.Config{Connections: 1})
			if r := connectortest.Publish(t, brokertest.LoginTo(t, shared, "raw", ""), "a", 1, "x"); !r.Ok() {
				t.Error(r)
			}
			for topic := ""; topic != "a"; topic = <-published { // the split mode probe comes first
				if strings.HasPrefix(topic, "bad/") {
					t.Error("the status was published")
				}
			}
			if !strings.Contains(log.String(), "(upstream.gateway_status)") ||
				strings.Count(log.String(), "level=ERROR") != 1 {
				t.Error(log.String())
			}

			cfg.GatewayStatus, cfg.DeviceStatus = client.Status{}, client.Status{Topic: "bad/${clientid}"}
			_, err := newConnector(t, cfg).Connect(t.Context(), full, "", connectortest.NewDevice())
			if named := strings.Contains(fmt.Sprint(err),
				`will, to "bad/device" (upstream.device_status.topic)`); err == nil ||
				named != slices.Contains([]byte{0x87, 0x90, 0x95, 0x99}, r.code) {
				t.Error(err)
			}
		})
	}
}

// awaitLast waits until payload is the last one published to a topic.
func awaitLast(t testing.TB, b *brokertest.MemoryBroker, topic, payload string) {
	t.Helper()
	gatewaytest.Eventually(t, topic+" says "+payload, func() bool {
		said := b.Said(topic)
		return len(said) > 0 && said[len(said)-1] == payload
	})
}

func withStatus(url, node string) client.Config {
	cfg := clienttest.Quick(url)
	cfg.Node, cfg.DeviceStatus = node, client.Status{Topic: "status/${clientid}", QoS: 1}
	return cfg
}

// TestSharedStatus expects a device to be online, and to be offline once it has left and no other session has its
// client id.
func TestSharedStatus(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	x, y := newShared(t, withStatus(b.URL(), "x"), shared.Config{}), newShared(t, withStatus(b.URL(), "y"),
		shared.Config{})
	m := brokertest.LogIn(t, x, "device")
	awaitLast(t, b, "status/device", "online")
	m.Close()
	awaitLast(t, b, "status/device", "offline")
	before := len(b.Said("status/device"))
	for range 3 {
		m = brokertest.LogIn(t, x, "device")
	}
	brokertest.LogIn(t, y, "device")
	brokertest.WantDiscarded(t, m)
	brokertest.Publish(t, brokertest.LogIn(t, x, "other"), "end", 1, "")
	gatewaytest.Eventually(t, "four online statuses", func() bool { return len(b.Said("status/device")) >= before+4 })
	for _, said := range b.Said("status/device")[before:] {
		if said != "online" {
			t.Fatalf("the status is %v", b.Said("status/device")[before:])
		}
	}
}

// TestSharedStatusAtClose expects all devices to be offline when the connector closes.
func TestSharedStatusAtClose(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	base := newConnector(t, withStatus(b.URL(), "x"))
	s, err := base.Shared(shared.Config{Authenticator: access.Everybody()})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{"a", "b", "c", "d"}
	for _, id := range ids {
		brokertest.LogIn(t, s, id)
		awaitLast(t, b, "status/"+id, "online")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		awaitLast(t, b, "status/"+id, "offline")
	}
}

// TestSharedStatusAgain expects the online statuses to be published again to a broker that has lost them and, at QoS 0,
// those it missed.
func TestSharedStatusAgain(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	cfg := withStatus(b.URL(), "x")
	cfg.DeviceStatus.QoS = 0
	base := newConnector(t, cfg)
	s := sharedOf(t, base, shared.Config{Connections: 4})
	const clients = 4 + 1 // and the gateway client
	brokertest.LogIn(t, s, "early")
	awaitLast(t, b, "status/early", "online")
	b.AwaitClients(t, clients) // the first login waits only for its own connection
	b.Flush(t, clients)
	b.Stop()
	gatewaytest.Eventually(t, "the losses to be noticed", func() bool {
		return clienttest.Counted(t, base.broker, "losses_total") >= clients
	})
	brokertest.LogIn(t, s, "late")
	b.Set(func() { b.Taken = nil })
	b.Start(true)
	awaitLast(t, b, "status/early", "online")
	awaitLast(t, b, "status/late", "online")
}
