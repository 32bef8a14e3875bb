package mqtt

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/runtime/gateway"
)

func TestFrames(t *testing.T) {
	publish := func(n int) []byte {
		return publication{topic: "t", payload: make([]byte, n)}.append(nil)
	}
	for name, c := range map[string]struct {
		stream []byte
		limit  int64
		want   error
	}{
		"nothing":                          {nil, 1, nil},
		"a packet without a body":          {[]byte{0xD0, 0}, 2, nil},
		"one byte too large":               {[]byte{0xD0, 0}, 1, errTooLarge},
		"as large as may be":               {publish(94), 100, nil},
		"too large by one":                 {publish(95), 100, errTooLarge},
		"a second one that is too large":   {append(publish(94), publish(95)...), 100, errTooLarge},
		"a length of two bytes":            {publish(194), 201, nil},
		"a length of two bytes, too large": {publish(194), 200, errTooLarge},
		"no limit":                         {publish(1 << 20), 0, nil},
		"the largest length":               {[]byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F}, 0, nil},
		"a length of five bytes":           {[]byte{0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1}, 0, errMalformed},
		"a length that is not shortest":    {[]byte{0x30, 0x80, 0x80, 0x80, 0}, 10, nil},
	} {
		f := frames{limit: c.limit}
		if err := f.pass(c.stream); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzFrames wants the same of a stream however it is cut, and what paho's reader finds.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0xD0, 0, 0xD0, 0}, uint16(10), uint8(1))
	f.Add(publication{topic: "t", payload: make([]byte, 200)}.append(nil), uint16(100), uint8(3))
	f.Add([]byte{0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1}, uint16(0), uint8(2))
	f.Add([]byte{0x20, 3, 0, 0, 0, 0x30, 0x81, 0x80, 0, 7}, uint16(20), uint8(4))
	f.Fuzz(func(t *testing.T, stream []byte, limit uint16, size uint8) {
		whole, pieces := frames{limit: int64(limit)}, frames{limit: int64(limit)}
		want := whole.pass(stream)
		var got error
		for rest := stream; len(rest) > 0 && got == nil; {
			n := min(int(size)+1, len(rest))
			got, rest = pieces.pass(rest[:n]), rest[n:]
		}
		if (want == nil) != (got == nil) || (want != nil && want.Error() != got.Error()) {
			t.Fatalf("whole: %v, in pieces of %d: %v", want, int(size)+1, got)
		}
		if want == nil && whole != pieces {
			t.Fatalf("whole: %+v, in pieces: %+v", whole, pieces)
		}
		if tooLarge := firstTooLarge(stream, int64(limit)); tooLarge != errors.Is(want, errTooLarge) && !errors.Is(want, errMalformed) {
			t.Fatalf("a packet is too large: %v, got %v", tooLarge, want)
		}
	})
}

// firstTooLarge reads packets as a program would that has them all.
func firstTooLarge(stream []byte, limit int64) bool {
	for r := bytes.NewReader(stream); r.Len() > 0; {
		before := r.Len()
		_, _ = r.ReadByte()
		size, shift := int64(0), 0
		for {
			b, err := r.ReadByte()
			if err != nil || shift > 21 {
				return false
			}
			size |= int64(b&0x7F) << shift
			shift += 7
			if b < 0x80 {
				break
			}
		}
		if limit > 0 && int64(before-r.Len())+size > limit {
			return true
		}
		if _, err := r.Seek(size, io.SeekCurrent); err != nil {
			return false
		}
	}
	return false
}

// TestPacketTooLarge has the broker send a larger message than it was told it may.
func TestPacketTooLarge(t *testing.T) {
	sent := make(chan time.Time, 1)
	b := newScripted(t, func(p *peer) {
		c := p.accept(true)
		if p.number == 0 {
			if most := c.Properties.MaximumPacketSize; most == nil || *most != 1000 {
				t.Errorf("the broker was told %v", most)
			}
			p.next()
			sent <- time.Now()
			p.send(&packets.Publish{Properties: &packets.Properties{}, Topic: "t", QoS: 1, PacketID: 1, Payload: make([]byte, 2000)})
			p.next()
			return
		}
		p.serveAll()
	})
	cfg := quick(b.url())
	cfg.MaxPacketSize = 1000
	c := newConnector(t, cfg)
	s, d := connect(t, c, "c")
	call := connectortest.NewCall()
	s.Publish("t", 1, []byte("x"), call.Done)
	if r := call.Result(t); !r.Ok() {
		t.Fatal(r)
	}
	if pause := time.Since(<-sent); pause < cfg.ReconnectDelay<<tooLargeAttempt {
		t.Errorf("connected again after %v: the broker will send it again", pause)
	}
	if n := testutil.ToFloat64(c.metrics.losses.WithLabelValues(lossTooLarge)); n != 1 || d.Losses() != 0 || d.Unread() != 0 {
		t.Fatalf("%v losses, %d of the session, %d messages", n, d.Losses(), d.Unread())
	}
}

// TestMaximumPacketSizeShrinks lowers what the broker takes while a publish is under way that is larger then.
func TestMaximumPacketSizeShrinks(t *testing.T) {
	for _, present := range []bool{true, false} {
		for qos := byte(1); qos <= 2; qos++ {
			arrived := make(chan *packets.Publish, 10)
			b := newScripted(t, func(p *peer) {
				p.next()
				size := uint32(10000) >> (7 * p.number)
				p.send(&packets.Connack{Properties: &packets.Properties{MaximumPacketSize: &size}, SessionPresent: present && p.number > 0})
				for cp := p.next(); cp != nil && p.number > 0; cp = p.next() {
					if c, ok := cp.Content.(*packets.Publish); ok {
						arrived <- c
						p.puback(c.PacketID, 0)
					}
				}
			})
			s, d := connect(t, newConnector(t, quick(b.url())), "c")
			large, small := connectortest.NewCall(), connectortest.NewCall()
			s.Publish("t", qos, make([]byte, 1000), large.Done)
			s.Publish("t", 1, []byte("small"), small.Done)
			if r := large.Result(t); r.Code != gateway.CodeLimit {
				t.Errorf("QoS %d: the large one: %v", qos, r)
			}
			if r := small.Result(t); !r.Ok() || d.Losses() != 0 {
				t.Errorf("QoS %d: what follows: %v", qos, r)
			}
			if p := <-arrived; string(p.Payload) != "small" {
				t.Errorf("the broker got %d bytes", len(p.Payload))
			}
			s.Close()
		}
	}
}
