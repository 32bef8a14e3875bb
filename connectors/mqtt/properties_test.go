package mqtt

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// full is a device with every user property.
var full = gateway.Device{
	ClientInfo: gateway.ClientInfo{ClientID: "device", ProtoName: "mine", ProtoVersion: "2"},
	Peer:       netip.MustParseAddrPort("192.0.2.7:4711"), Listener: "tcp-1",
}

// everything is what mosquitto_sub prints for a message of full that expires in an hour.
const everything = "3600 protocol:mine protocol_version:2 peer:192.0.2.7:4711 listener:tcp-1 x"

// TestPropertiesOfPublishes checks the properties that mosquitto_sub receives.
func TestPropertiesOfPublishes(t *testing.T) {
	for _, c := range []struct {
		name   string
		spool  bool
		expiry time.Duration
		user   bool
		want   string
	}{
		{name: "none", want: "  x"},
		{name: "both", expiry: time.Hour, user: true, want: everything},
		{name: "both, in the spool", spool: true, expiry: time.Hour, user: true, want: everything},
		{name: "expiry alone, in the spool", spool: true, expiry: 1500 * time.Millisecond, want: "2  x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := mosquitto.Start(t, mosquitto.Options{})
			cfg := clienttest.Quick(b.URL())
			cfg.UserProperties, cfg.MessageExpiry = c.user, c.expiry
			if c.spool {
				cfg.Spool.Folder = t.TempDir()
			}
			d := connectortest.NewDevice()
			s, err := newConnector(t, cfg).Connect(t.Context(), full, "", d)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for qos := byte(0); qos <= 2; qos++ {
				gatewaytest.Eventually(t, fmt.Sprintf("mosquitto_sub sees %q of QoS %d", c.want, qos), func() bool {
					got := subscriberSees(t, b, s, qos)
					if got != c.want { // a message that was in flight for long expires sooner
						t.Logf("mosquitto_sub sees %q", got)
					}
					return got == c.want
				})
			}
			if d.Losses() != 0 {
				t.Error("the broker did not like a packet")
			}
		})
	}
}

// subscriberSees returns the expiry, the user properties and the payload of a message, as mosquitto_sub prints them.
func subscriberSees(t *testing.T, b *mosquitto.Broker, s gateway.Session, qos byte) string {
	t.Helper()
	host, port, err := net.SplitHostPort(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	program := mosquitto.Program(t, "mosquitto_sub")
	sub := exec.CommandContext(t.Context(), program, "-V", "5", "-h", host, "-p", port, "-t", "t", "-q", "2", "-C", "1",
		"-F", "%E %P %p")
	var out gatewaytest.Log
	sub.Stdout = &out
	if err := sub.Start(); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Eventually(t, "mosquitto_sub to get something", func() bool {
		if r := connectortest.Publish(t, s, "t", qos, "x"); !r.Ok() {
			t.Fatal(r)
		}
		return out.String() != ""
	})
	if err := sub.Wait(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// TestPropertiesOfConnect expects the device's properties in its CONNECT, and none in the gateway client's.
func TestPropertiesOfConnect(t *testing.T) {
	for user, want := range map[bool]int{false: 0, true: 4} {
		got := make(chan *packets.Connect, 1)
		b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
			got <- p.Accept(false)
			p.ServeAll()
		})
		cfg := clienttest.Quick(b.URL())
		cfg.UserProperties = user
		s, err := newConnector(t, cfg).Connect(t.Context(), full, "", connectortest.NewDevice())
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if c := <-got; len(c.Properties.User) != want || (want > 0 &&
			(c.Properties.User[0] != packets.User{Key: "protocol", Value: "mine"})) {
			t.Errorf("got %v", c.Properties.User)
		}
	}
}
