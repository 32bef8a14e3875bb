package mqtt

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// reason is a reason code of MQTT 5, section 2.4, for a failure, and the result that the device gets.
type reason struct {
	code byte
	name string
	want gateway.ResultCode
}

var everyReason = []reason{
	{0x80, "unspecified error", gateway.CodeUnknown},
	{0x81, "malformed packet", gateway.CodeUnknown},
	{0x82, "protocol error", gateway.CodeUnknown},
	{0x83, "implementation specific error", gateway.CodeUnknown},
	{0x84, "unsupported protocol version", gateway.CodeUnknown},
	{0x85, "client identifier not valid", gateway.CodePermissionDeny},
	{0x86, "bad user name or password", gateway.CodePermissionDeny},
	{0x87, "not authorized", gateway.CodePermissionDeny},
	{0x88, "server unavailable", gateway.CodeUnknown},
	{0x89, "server busy", gateway.CodeUnknown},
	{0x8A, "banned", gateway.CodePermissionDeny},
	{0x8B, "server shutting down", gateway.CodeUnknown},
	{0x8C, "bad authentication method", gateway.CodePermissionDeny},
	{0x8D, "keep alive timeout", gateway.CodeUnknown},
	{0x8E, "session taken over", gateway.CodeUnknown},
	{0x8F, "topic filter invalid", gateway.CodeParamsTypeError},
	{0x90, "topic name invalid", gateway.CodeParamsTypeError},
	{0x91, "packet identifier in use", gateway.CodeUnknown},
	{0x92, "packet identifier not found", gateway.CodeUnknown},
	{0x93, "receive maximum exceeded", gateway.CodeUnknown},
	{0x94, "topic alias invalid", gateway.CodeUnknown},
	{0x95, "packet too large", gateway.CodeLimit},
	{0x96, "message rate too high", gateway.CodeLimit},
	{0x97, "quota exceeded", gateway.CodeLimit},
	{0x98, "administrative action", gateway.CodeUnknown},
	{0x99, "payload format invalid", gateway.CodeUnknown},
	{0x9A, "retain not supported", gateway.CodeUnknown},
	{0x9B, "QoS not supported", gateway.CodeUnsupported},
	{0x9C, "use another server", gateway.CodeUnknown},
	{0x9D, "server moved", gateway.CodeUnknown},
	{0x9E, "shared subscriptions not supported", gateway.CodeUnsupported},
	{0x9F, "connection rate exceeded", gateway.CodeUnknown},
	{0xA0, "maximum connect time", gateway.CodeUnknown},
	{0xA1, "subscription identifiers not supported", gateway.CodeUnknown},
	{0xA2, "wildcard subscriptions not supported", gateway.CodeUnsupported},
	{0xFE, "reason code 0xFE", gateway.CodeUnknown}, // undefined in MQTT 5
}

// TestEveryReason has each acknowledgement carry each reason code, which is in the topic.
func TestEveryReason(t *testing.T) {
	code := func(topic string) byte {
		n, _ := strconv.Atoi(topic)
		return byte(n)
	}
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Accept(false)
		for cp := p.Next(); cp != nil; cp = p.Next() {
			switch c := cp.Content.(type) {
			case *packets.Publish:
				if c.QoS == 1 {
					p.Puback(c.PacketID, code(c.Topic))
				} else {
					p.Send(&packets.Pubrec{
						Properties: &packets.Properties{}, PacketID: c.PacketID,
						ReasonCode: code(c.Topic),
					})
				}
			case *packets.Subscribe:
				p.Suback(c.PacketID, code(c.Subscriptions[0].Topic))
			case *packets.Unsubscribe:
				p.Send(&packets.Unsuback{
					Properties: &packets.Properties{}, PacketID: c.PacketID,
					Reasons: []byte{code(c.Topics[0])},
				})
			}
		}
	})
	s, d := brokertest.Connect(t, newConnector(t, client.Config{URL: b.URL()}), "c")
	for _, r := range everyReason {
		topic := strconv.Itoa(int(r.code))
		for what, got := range map[string]gateway.Result{
			"PUBACK":   connectortest.Publish(t, s, topic, 1, "x"),
			"PUBREC":   connectortest.Publish(t, s, topic, 2, "x"),
			"SUBACK":   connectortest.Subscribe(t, s, topic, 0),
			"UNSUBACK": connectortest.Unsubscribe(t, s, topic),
		} {
			if got.Code != r.want || !strings.Contains(got.Message, r.name) ||
				!strings.Contains(got.Message, strconv.Quote(topic)) {
				t.Errorf("%s with 0x%02X: %v", what, r.code, got)
			}
		}
	}
	if d.Losses() > 0 {
		t.Error("the session was lost")
	}
}

// TestEveryConnackReason refuses clients with each reason code. For some, another server may accept the client.
func TestEveryConnackReason(t *testing.T) {
	elsewhere := map[byte]bool{0x88: true, 0x89: true, 0x8B: true, 0x9C: true, 0x9D: true}
	var code atomic.Uint32
	first := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		if p.Next() != nil {
			p.Send(&packets.Connack{Properties: &packets.Properties{}, ReasonCode: byte(code.Load())})
		}
	})
	second := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		if p.Accept(false) != nil {
			p.ServeAll()
		}
	})
	for _, r := range everyReason {
		code.Store(uint32(r.code))
		err := dial(t, client.Config{URL: first.URL()})
		var refused *gateway.ResultError
		switch {
		case r.code == 0x84: // not the device's fault
			if errors.As(err, &refused) || !strings.Contains(err.Error(), "MQTT 3.1.1") {
				t.Errorf("0x84: %v", err)
			}
		case !errors.As(err, &refused) || refused.Result.Code != r.want ||
			!strings.Contains(refused.Result.Message, r.name):
			t.Errorf("0x%02X: %v", r.code, err)
		}
		c := newConnector(t, client.Config{URLs: []string{first.URL(), second.URL()}})
		s, err := c.Connect(context.Background(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "c"}}, "",
			connectortest.NewDevice())
		if went := err == nil; went != (elsewhere[r.code] || r.code == 0x84) {
			t.Errorf("0x%02X: went to the next server: %v", r.code, went)
		}
		if err == nil {
			s.Close()
		}
	}
}

// TestEveryDisconnectReason disconnects a client with each reason code: it must reconnect and resend, unless another
// client has taken over.
func TestEveryDisconnectReason(t *testing.T) {
	for _, r := range append(everyReason, reason{}) {
		t.Run(fmt.Sprintf("0x%02X", r.code), func(t *testing.T) {
			b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
				p.Accept(false)
				if p.Number == 0 {
					p.Next()
					p.Disconnect(r.code)
					return
				}
				p.ServeAll()
			})
			var log gatewaytest.Log
			cfg := clienttest.Quick(b.URL())
			cfg.Logger = log.Logger()
			c := newConnector(t, cfg)
			s, d := brokertest.Connect(t, c, "c")
			call := connectortest.NewCall()
			s.Publish("t", 1, nil, nil, call.Done)
			got := call.Result(t)
			if r.code == packets.DisconnectSessionTakenOver {
				lost := d.Lost(t)
				if got.Code != gateway.CodeConnProcessNotAlive || !lost.Is(gateway.ReasonDiscarded) ||
					!strings.Contains(lost.String(), r.name) {
					t.Fatal(got, lost)
				}
				return
			}
			if !got.Ok() || d.Losses() > 0 {
				t.Fatal(got, d.Losses())
			}
			if n := clienttest.Counted(t, c.broker, "losses_total", "broker_disconnected"); r.code >= 0x80 && n != 1 {
				t.Errorf("%v losses counted as the broker's will", n)
			}
			if r.code >= 0x80 && !strings.Contains(log.String(), r.name) {
				t.Errorf("the log does not say %q: %s", r.name, log.String())
			}
		})
	}
}
