package mqtt

import (
	"testing"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
)

// The gateway's account may use the control topic, and its devices may not: one could take any client id from its gateway, or learn them all.
func TestDevicesAndTheControlTopic(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	s := newShared(t, Config{URL: b.URL(), ControlTopic: "a/b"}, SharedConfig{})
	hostile, d := connectShared(t, s, "hostile")
	for _, topic := range []string{"a/b", "a/b/claims"} {
		if r := connectortest.Publish(t, hostile, topic, 1, `{"node":"x","claims":[{"id":"victim","epoch":1}]}`); r.Code != gateway.CodePermissionDeny {
			t.Errorf("publishing to %s: %v", topic, r)
		}
		if r := connectortest.Subscribe(t, hostile, topic, 0); r.Code != gateway.CodePermissionDeny {
			t.Errorf("subscribing to %s: %v", topic, r)
		}
	}
	for _, filter := range []string{"#", "a/+/claims", "a/bc"} {
		if r := connectortest.Subscribe(t, hostile, filter, 0); !r.Ok() {
			t.Errorf("subscribing to %s: %v", filter, r)
		}
	}
	connectShared(t, s, "victim") // says so on the control topic
	if r := connectortest.Publish(t, hostile, "a/bc", 1, "fence"); !r.Ok() {
		t.Fatal(r)
	}
	if m := d.Next(t); m.Topic != "a/bc" {
		t.Fatalf("a device got %s", m.Topic)
	}
}

// Devices with a session of their own, and the gateway's RawPublish, which has one, are not let there either: they reach the same broker.
func TestOwnSessionsAndTheControlTopic(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	s := newShared(t, Config{URL: b.URL()}, SharedConfig{})
	_, victim := connectShared(t, s, "victim")
	for _, cfg := range []Config{
		{URL: b.URL(), Node: "plain"},
		{URL: b.URL(), Node: "spooled", Spool: SpoolConfig{Folder: t.TempDir()}},
	} {
		hostile, d := connect(t, newConnector(t, cfg), "hostile")
		forged := claimsOf("z", claim{"victim", s.session("victim").epoch + 1})
		for _, topic := range []string{"exgate/control", "exgate/control/claims", "exgate/control/probe/x"} {
			for qos := range byte(3) {
				if r := connectortest.Publish(t, hostile, topic, qos, forged); r.Code != gateway.CodePermissionDeny {
					t.Errorf("publishing to %s with QoS %d: %v", topic, qos, r)
				}
			}
		}
		for _, filter := range []string{"exgate/control", "exgate/control/#", "exgate/control/+", "$share/g/exgate/control/claims"} {
			if r := connectortest.Subscribe(t, hostile, filter, 0); r.Code != gateway.CodePermissionDeny {
				t.Errorf("subscribing to %s: %v", filter, r)
			}
		}
		for _, filter := range []string{"#", "exgate/+/claims", "$share/g/exgate/#"} {
			if r := connectortest.Subscribe(t, hostile, filter, 0); !r.Ok() {
				t.Errorf("subscribing to %s: %v", filter, r)
			}
		}
		connectShared(t, s, "another") // the gateway says so on the control topic
		if r := connectortest.Publish(t, hostile, "exgate/controls", 1, "fence"); !r.Ok() {
			t.Fatal(r)
		}
		if m := d.Next(t); m.Topic != "exgate/controls" || victim.Losses() > 0 {
			t.Fatalf("a device got %s; %d losses", m.Topic, victim.Losses())
		}
		hostile.Close()
	}
}

func connectShared(t *testing.T, s *Shared, id string) (gateway.Session, *connectortest.Device) {
	t.Helper()
	d := connectortest.NewDevice()
	session, err := s.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: id}}, "", d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session, d
}
