package wire

import (
	"bytes"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"pgregory.net/rapid"

	"github.com/exgate/exgate/runtime/gateway"
)

func TestPropertiesAreWhatPahoReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 200, -1)
		var list paho.UserProperties
		for range rapid.IntRange(0, 20).Draw(t, "properties") {
			list = append(list, paho.UserProperty{Key: text.Draw(t, "key"), Value: text.Draw(t, "value")})
		}
		props := EncodeUser(list)
		left := time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "left"))
		if left > 0 {
			props = WithExpiry(left, props)
		}
		if !bytes.Equal(WithoutExpiry(props), EncodeUser(list)) {
			t.Fatal("the expiry cannot be taken off")
		}
		p := Publication{
			Topic: "t", Payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload"), QoS: 1, ID: 7,
			Props: props,
		}
		packet := p.Append(nil)
		if len(packet) > p.Size() {
			t.Fatalf("%d bytes, said %d", len(packet), p.Size())
		}
		cp, err := packets.ReadPacket(bytes.NewReader(packet))
		if err != nil {
			t.Fatal(err)
		}
		wantRead(t, cp.Content.(*packets.Publish), p, list, left)
	})
}

// TestMessageProperties reads what AppendMessage has written.
func TestMessageProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 100, -1)
		want := &gateway.Properties{
			Retain: rapid.Bool().Draw(t, "retain"), Expiry: rapid.Uint32().Draw(t, "expiry"),
			ContentType: text.Draw(t, "type"), ResponseTopic: text.Draw(t, "response"),
			Correlation: rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "correlation"),
		}
		for range rapid.IntRange(0, 5).Draw(t, "properties") {
			want.User = append(want.User, gateway.Property{Name: text.Draw(t, "name"), Value: text.Draw(t, "value")})
		}
		props := AppendMessage(nil, want)
		if want.Expiry > 0 {
			props = WithExpiry(time.Duration(want.Expiry)*time.Second, props)
		}
		p := Publication{Topic: "t", Props: props, Retain: want.Retain}
		cp, err := packets.ReadPacket(bytes.NewReader(p.Append(nil)))
		if err != nil {
			t.Fatal(err)
		}
		got := MessageOf(paho.PublishFromPacketPublish(cp.Content.(*packets.Publish)))
		if (got == nil) != want.Empty() || got.String() != want.String() {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func wantRead(t *rapid.T, got *packets.Publish, p Publication, list paho.UserProperties, left time.Duration) {
	if !bytes.Equal(got.Payload, p.Payload) || got.PacketID != p.ID || len(got.Properties.User) != len(list) {
		t.Fatalf("got %v", got)
	}
	for i, u := range got.Properties.User {
		if u.Key != list[i].Key || u.Value != list[i].Value {
			t.Fatalf("got %v, want %v", u, list[i])
		}
	}
	e := got.Properties.MessageExpiry
	if (e != nil) != (left > 0) {
		t.Fatalf("got the expiry %v, %v is left", e, left)
	}
	if e != nil && (time.Duration(*e)*time.Second < left || time.Duration(*e-1)*time.Second >= left) {
		t.Fatalf("got the expiry %d s, %v is left", *e, left)
	}
}
