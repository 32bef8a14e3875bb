package mqtt

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/connectors/mqtt/shared"
	"github.com/exgate/exgate/runtime/gateway"
)

// inBothModes runs a test with a device session and with a shared session of the client "c".
func inBothModes(t *testing.T, broker func(t *testing.T) *brokertest.Scripted,
	test func(t *testing.T, base *Connector, s gateway.Session, d *connectortest.Device),
) {
	t.Run("device", func(t *testing.T) {
		c := newConnector(t, clienttest.Quick(broker(t).URL()))
		s, d := brokertest.Connect(t, c, "c")
		test(t, c, s, d)
	})
	t.Run("shared", func(t *testing.T) {
		c := newConnector(t, clienttest.Quick(broker(t).URL()))
		shared, err := c.Shared(shared.Config{Authenticator: access.Everybody(), Connections: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = shared.Close(t.Context()) })
		s, d := brokertest.Connect(t, shared, "c")
		test(t, c, s, d)
	})
}

// isProbe reports whether a shared session uses the topic to find out how the broker treats overlapping subscriptions.
func isProbe(topic string) bool { return strings.Contains(topic, "/probe/") }

// TestEveryCodeOfEveryAnswer has each acknowledgement carry each of the 256 codes, whose number is in the topic. Only
// codes that MQTT 5 defines as success for that packet may count as success.
func TestEveryCodeOfEveryAnswer(t *testing.T) {
	code := func(topic string) byte {
		n, _ := strconv.Atoi(topic)
		return byte(n)
	}
	broker := func(t *testing.T) *brokertest.Scripted {
		return brokertest.NewScripted(t, func(p *brokertest.Peer) {
			p.Accept(false)
			completing := map[uint16]byte{}
			for cp := p.Next(); cp != nil; cp = p.Next() {
				switch c := cp.Content.(type) {
				case *packets.Publish:
					rest, complete := strings.CutPrefix(c.Topic, "comp/")
					switch {
					case c.QoS == 1:
						p.Puback(c.PacketID, code(c.Topic))
					case complete:
						completing[c.PacketID] = code(rest)
						p.Send(&packets.Pubrec{Properties: &packets.Properties{}, PacketID: c.PacketID})
					case c.QoS == 2:
						p.Send(&packets.Pubrec{
							Properties: &packets.Properties{}, PacketID: c.PacketID,
							ReasonCode: code(c.Topic),
						})
					}
				case *packets.Pubrel:
					p.Send(&packets.Pubcomp{
						Properties: &packets.Properties{}, PacketID: c.PacketID,
						ReasonCode: completing[c.PacketID],
					})
				case *packets.Subscribe:
					if isProbe(c.Subscriptions[0].Topic) {
						p.Suback(c.PacketID, packets.SubackNotauthorized)
						continue
					}
					p.Suback(c.PacketID, code(c.Subscriptions[0].Topic))
				case *packets.Unsubscribe:
					p.Send(&packets.Unsuback{
						Properties: &packets.Properties{}, PacketID: c.PacketID,
						Reasons: []byte{code(c.Topics[0])},
					})
				}
			}
		})
	}
	inBothModes(t, broker, func(t *testing.T, _ *Connector, s gateway.Session, d *connectortest.Device) {
		_, isOwn := s.(*Session)
		for n := range 256 {
			topic := strconv.Itoa(n)
			check := func(packet string, r gateway.Result, success ...int) {
				if r.Ok() != slices.Contains(success, n) {
					t.Errorf("%s with 0x%02X: %v", packet, n, r)
				}
			}
			if n != 0x10 { // the broker would end the handshake
				check("PUBREC", connectortest.Publish(t, s, topic, 2, "x"), 0x00)
			}
			check("PUBACK", connectortest.Publish(t, s, topic, 1, "x"), 0x00, 0x10)
			check("PUBCOMP", connectortest.Publish(t, s, "comp/"+topic, 2, "x"), 0x00, 0x92)
			check("SUBACK", connectortest.Subscribe(t, s, topic, 2), 0x00, 0x01, 0x02)
			if isOwn { // in shared mode, the UNSUBSCRIBE for the last device is the gateway's
				check("UNSUBACK", connectortest.Unsubscribe(t, s, topic), 0x00, 0x11)
			}
		}
		if d.Losses() > 0 {
			t.Error("the session was lost")
		}
	})
}

// TestEveryCodeOfConnack expects a login to succeed only with 0x00.
func TestEveryCodeOfConnack(t *testing.T) {
	var code atomic.Uint32
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		if p.Next() != nil {
			p.Send(&packets.Connack{Properties: &packets.Properties{}, ReasonCode: byte(code.Load())})
			p.Next()
		}
	})
	c := newConnector(t, clienttest.Quick(b.URL()))
	for n := range 256 {
		code.Store(uint32(n))
		s, err := c.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "c"}}, "",
			connectortest.NewDevice())
		if (err == nil) != (n == 0) {
			t.Errorf("CONNACK with 0x%02X: %v", n, err)
		}
		if err == nil {
			s.Close()
		}
	}
}

// TestBadConnack expects property values that MQTT 5 does not allow to be refused.
func TestBadConnack(t *testing.T) {
	zero16, zero32, two := uint16(0), uint32(0), byte(2)
	for name, props := range map[string]*packets.Properties{
		"Receive Maximum 0":     {ReceiveMaximum: &zero16},
		"Maximum Packet Size 0": {MaximumPacketSize: &zero32},
		"Maximum QoS 2":         {MaximumQOS: &two},
	} {
		said := make(chan byte, 1)
		b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
			p.Next()
			p.Send(&packets.Connack{Properties: props})
			if cp := p.Next(); cp != nil && cp.Type == packets.DISCONNECT {
				said <- cp.Content.(*packets.Disconnect).ReasonCode
			}
			close(said)
		})
		err := dial(t, clienttest.Quick(b.URL()))
		if err == nil || !strings.Contains(err.Error(), "CONNACK has "+name) ||
			!strings.Contains(err.Error(), "upstream.url") {
			t.Errorf("%s: %v", name, err)
		}
		if reason := <-said; reason != packets.DisconnectProtocolError {
			t.Errorf("%s: the broker got the reason 0x%02X", name, reason)
		}
	}
}

// rawPublish encodes a PUBLISH, including invalid ones that paho would not write.
func rawPublish(flags byte, topic string, id int, props string) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(topic)))
	body = append(body, topic...)
	if id >= 0 {
		body = binary.BigEndian.AppendUint16(body, uint16(id))
	}
	body = append(append(body, byte(len(props))), props...)
	return append(binary.AppendUvarint([]byte{packets.PUBLISH<<4 | flags}, uint64(len(body))), body...)
}

// heard is a client's answer to a broker's message.
type heard struct{ packet, reason byte }

// sender is a broker that sends raw bytes to the first client that subscribes to #, followed by a good message on the
// same or the next connection.
type sender struct {
	raw    []byte
	heard  chan heard
	breaks bool
	sent   atomic.Bool
}

func (b *sender) serve(p *brokertest.Peer) {
	if p.Accept(false) == nil {
		return
	}
	for cp := p.Next(); cp != nil; cp = p.Next() {
		switch c := cp.Content.(type) {
		case *packets.Publish:
			p.Puback(c.PacketID, 0)
		case *packets.Subscribe:
			switch filter := c.Subscriptions[0].Topic; {
			case isProbe(filter):
				p.Suback(c.PacketID, packets.SubackNotauthorized)
			case filter == "#":
				p.Suback(c.PacketID, 2)
				first := b.sent.CompareAndSwap(false, true)
				if first {
					_, _ = p.Write(b.raw)
				}
				if !first || !b.breaks {
					_, _ = p.Write(rawPublish(0, "good", -1, ""))
				}
			default:
				p.Suback(c.PacketID, 1)
			}
		case *packets.Puback:
			b.heard <- heard{packets.PUBACK, c.ReasonCode}
		case *packets.Pubrec:
			b.heard <- heard{packets.PUBREC, c.ReasonCode}
		case *packets.Disconnect:
			b.heard <- heard{packets.DISCONNECT, c.ReasonCode}
		}
	}
}

// sends runs a broker that sends raw bytes, in both modes, and expects the device to get only the good message.
func sends(t *testing.T, raw []byte, breaks bool, check func(t *testing.T, c *Connector, b *sender)) {
	var b *sender
	broker := func(t *testing.T) *brokertest.Scripted {
		b = &sender{raw: raw, breaks: breaks, heard: make(chan heard, 100)}
		return brokertest.NewScripted(t, b.serve)
	}
	inBothModes(t, broker, func(t *testing.T, c *Connector, s gateway.Session, d *connectortest.Device) {
		if r := connectortest.Subscribe(t, s, "#", 2); !r.Ok() {
			t.Fatal(r)
		}
		if m := d.Next(t); m.Topic != "good" || d.Unread() > 0 || d.Losses() > 0 {
			t.Fatalf("got %q, %d unread, %d losses", m.Topic, d.Unread(), d.Losses())
		}
		check(t, c, b)
	})
}

// TestBadTopicsFromTheBroker expects messages with invalid topics to be dropped without ending the connection: the
// broker would send them again over each new one.
func TestBadTopicsFromTheBroker(t *testing.T) {
	for name, topic := range map[string]string{
		"empty": "", "NUL": "a\x00b", "hash": "a/#", "plus": "a/+/b", "plus in a level": "a+", "invalid UTF-8": "a\xff",
		"overlong UTF-8": "a\xc0\xaf",
		"surrogate":      "\xed\xa0\x80", "cut UTF-8": "a\xe2\x82", "beyond Unicode": "\xf4\x90\x80\x80",
	} {
		for qos, want := range []heard{
			{},
			{packets.PUBACK, packets.PubackTopicNameInvalid},
			{packets.PUBREC, packets.PubrecTopicNameInvalid},
		} {
			t.Run(fmt.Sprintf("%s, QoS %d", name, qos), func(t *testing.T) {
				id := 7
				if qos == 0 {
					id = -1
				}
				sends(t, rawPublish(byte(qos)<<1, topic, id, ""), false, func(t *testing.T, c *Connector, b *sender) {
					if n := clienttest.Counted(t, c.broker, "dropped_total", "bad_topic"); n != 1 {
						t.Errorf("%v messages counted", n)
					}
					if qos > 0 {
						if got := <-b.heard; got != want {
							t.Errorf("the broker was answered %x, want %x", got, want)
						}
					}
				})
			})
		}
	}
}

// TestBrokerBreaksTheRules expects the connection to end with the right reason, and a reconnect.
func TestBrokerBreaksTheRules(t *testing.T) {
	for name, c := range map[string]struct {
		raw    []byte
		reason byte
	}{
		"QoS 3":                   {rawPublish(3<<1, "t", 7, ""), packets.DisconnectMalformedPacket},
		"packet id 0, QoS 1":      {rawPublish(1<<1, "t", 0, ""), packets.DisconnectProtocolError},
		"packet id 0, QoS 2":      {rawPublish(2<<1, "t", 0, ""), packets.DisconnectProtocolError},
		"topic alias, QoS 0":      {rawPublish(0, "t", -1, "\x23\x00\x01"), packets.DisconnectTopicAliasInvalid},
		"topic alias, QoS 1":      {rawPublish(1<<1, "t", 7, "\x23\x00\x01"), packets.DisconnectTopicAliasInvalid},
		"alias alone":             {rawPublish(0, "", -1, "\x23\x00\x01"), packets.DisconnectTopicAliasInvalid},
		"unknown property":        {rawPublish(0, "t", -1, "\x7f\x00"), packets.DisconnectMalformedPacket},
		"another packet's":        {rawPublish(0, "t", -1, "\x21\x00\x01"), packets.DisconnectMalformedPacket},
		"cut property":            {rawPublish(0, "t", -1, "\x02\x00"), packets.DisconnectMalformedPacket},
		"long user property":      {rawPublish(0, "t", -1, "\x26\xff\xffk"), packets.DisconnectMalformedPacket},
		"properties too long":     {[]byte{0x30, 5, 0, 1, 't', 0xff, 0x7f}, packets.DisconnectMalformedPacket},
		"topic longer than all":   {[]byte{0x30, 3, 0xff, 0xff, 't'}, packets.DisconnectMalformedPacket},
		"cut packet id":           {[]byte{0x32, 4, 0, 1, 't', 7}, packets.DisconnectMalformedPacket},
		"length without an end":   {[]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x7f}, packets.DisconnectMalformedPacket},
		"reserved packet type":    {[]byte{0x00, 0}, packets.DisconnectMalformedPacket},
		"a second CONNACK":        {[]byte{0x20, 3, 0, 0, 0}, packets.DisconnectMalformedPacket},
		"larger than it may send": {[]byte{0x30, 0xff, 0xff, 0xff, 0x7f}, packets.DisconnectPacketTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			sends(t, c.raw, true, func(t *testing.T, of *Connector, b *sender) {
				for got := range b.heard {
					if got.packet == packets.DISCONNECT {
						if got.reason != c.reason {
							t.Errorf("the broker got the reason 0x%02X, want 0x%02X", got.reason, c.reason)
						}
						return
					}
				}
			})
		})
	}
}
