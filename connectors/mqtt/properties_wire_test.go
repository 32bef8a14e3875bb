package mqtt

import (
	"bytes"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"pgregory.net/rapid"
)

func TestPropertiesAreWhatPahoReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 200, -1)
		var list paho.UserProperties
		for range rapid.IntRange(0, 20).Draw(t, "properties") {
			list = append(list, paho.UserProperty{Key: text.Draw(t, "key"), Value: text.Draw(t, "value")})
		}
		props := encodeUser(list)
		left := time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "left"))
		if left > 0 {
			props = withExpiry(left, props)
		}
		if !bytes.Equal(withoutExpiry(props), encodeUser(list)) {
			t.Fatal("the expiry cannot be taken off")
		}
		p := publication{topic: "t", payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload"), qos: 1, id: 7, props: props}
		packet := p.append(nil)
		if len(packet) > p.size() {
			t.Fatalf("%d bytes, said %d", len(packet), p.size())
		}
		cp, err := packets.ReadPacket(bytes.NewReader(packet))
		if err != nil {
			t.Fatal(err)
		}
		wantRead(t, cp.Content.(*packets.Publish), p, list, left)
	})
}
