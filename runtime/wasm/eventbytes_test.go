package wasm

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// A long event of a stream makes the next chunks smaller, and short ones make them larger again. Datagrams stay whole.
func TestTurnsOfLongEventsGetShorter(t *testing.T) {
	stream := newChunk(64<<10, gateway.SocketTCP, false)
	var got []int
	for range 4 {
		stream.adapt(min(stream.bytes, 16<<10), longCalls+1, 0)
		got = append(got, stream.bytes)
	}
	for range 3 {
		stream.adapt(10, 1, 1) // says nothing about more
		stream.adapt(stream.bytes, 1, longFuel+1)
		got = append(got, stream.bytes)
	}
	for range 9 {
		stream.adapt(stream.bytes, 1, 1)
		got = append(got, stream.bytes)
	}
	want := []int{8192, 4096, 2048, 1024, 512, 512, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 65536, 65536}
	if !slices.Equal(got, want) {
		t.Errorf("turns of %d bytes, want %d", got, want)
	}
	datagram := newChunk(64<<10, gateway.SocketUDP, true)
	datagram.adapt(64<<10, longCalls+1, longFuel+1)
	if datagram.bytes != 64<<10 {
		t.Errorf("a datagram is split at %d bytes", datagram.bytes)
	}
}

// counted is an adapter that records what was sent.
type counted struct {
	*gatewaytest.Device
	sent bytes.Buffer
}

func (c *counted) Send(b []byte) gateway.Result {
	c.sent.Write(b)
	return gateway.OK
}

// What a device sends arrives complete and in order, in chunks of any size.
func TestTurnsLoseNothing(t *testing.T) {
	e := engine(t, Config{Module: file(t, "echo"), Shards: 1})
	c := &counted{Device: gatewaytest.NewDevice()}
	h, err := e.NewHandler(c)
	must(t, err)
	must(
		t,
		h.OnSocketCreated(
			gateway.ConnInfo{SocketType: gateway.SocketTCP, Peer: netip.MustParseAddrPort("192.0.2.1:1")},
		),
	)
	h.(*connection).chunk.bytes = 600
	packet := make([]byte, 10_000)
	for i := range packet {
		packet[i] = byte(i * i >> 3)
	}
	must(t, h.OnReceivedBytes(packet))
	if !bytes.Equal(c.sent.Bytes(), packet) {
		t.Errorf("%d bytes came back, other than the %d that were sent", c.sent.Len(), len(packet))
	}
}
