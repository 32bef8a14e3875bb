package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"pgregory.net/rapid"
)

// wirePair returns a Conn on a real socket, and the other end.
func wirePair(t *testing.T) (w *Conn, other net.Conn, drained *atomic.Int32, lost chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	drained, lost = new(atomic.Int32), make(chan error, 8)
	w = NewConn(conn, 0, func() { drained.Add(1) }, func(err error) { lost <- err })
	t.Cleanup(func() { _ = w.Close(); _ = other.Close() })
	return w, other, drained, lost
}

func TestWireKeepsPacketsWhole(t *testing.T) {
	w, other, _, _ := wirePair(t)
	const writers, each = 8, 200
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for range each {
				payload := bytes.Repeat([]byte{byte(i)}, 10+i*50)
				if i%2 == 0 {
					w.Publish(Publication{Topic: "t", Payload: payload})
				} else {
					_, _ = (&packets.Publish{
						Properties: &packets.Properties{}, Topic: "t",
						Payload: payload,
					}).WriteTo(w)
				}
			}
		})
	}
	for range writers * each {
		cp, err := packets.ReadPacket(other)
		if err != nil {
			t.Fatal(err)
		}
		p := cp.Content.(*packets.Publish)
		if i := p.Payload[0]; !bytes.Equal(p.Payload, bytes.Repeat([]byte{i}, 10+int(i)*50)) {
			t.Fatalf("a packet of writer %d is torn", i)
		}
	}
	wg.Wait()
}

func TestWireNeverBlocksWriters(t *testing.T) {
	w, other, drained, _ := wirePair(t)
	written := 0
	for w.HasRoom() {
		w.Publish(Publication{Topic: "t", Payload: make([]byte, 32<<10)})
		written++
	}
	if drained.Load() != 0 {
		t.Fatal("drained while full")
	}
	for range written {
		if _, err := packets.ReadPacket(other); err != nil {
			t.Fatal(err)
		}
	}
	for drained.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if !w.HasRoom() || drained.Load() != 1 {
		t.Fatalf("drained %d times", drained.Load())
	}
}

func TestWireCloseSoonWritesAll(t *testing.T) {
	w, other, _, _ := wirePair(t)
	const n = 1000
	for range n {
		w.Publish(Publication{Topic: "t", Payload: make([]byte, 500)})
	}
	w.CloseSoon()
	got, err := io.ReadAll(other)
	if want := n * (Publication{Topic: "t", Payload: make([]byte, 500)}.remaining() + 3); err != nil ||
		len(got) != want {
		t.Fatalf("got %d bytes, want %d: %v", len(got), want, err)
	}
}

func TestWireTellsLossOnce(t *testing.T) {
	w, other, _, lost := wirePair(t)
	_ = other.Close()
	for range 3 {
		if _, err := w.Read(make([]byte, 1)); err == nil {
			t.Fatal("read from nowhere")
		}
	}
	if err := <-lost; !errors.Is(err, io.EOF) || len(lost) != 0 {
		t.Fatal(err, len(lost))
	}
}

func TestWireFailTellsItsCause(t *testing.T) {
	w, _, _, lost := wirePair(t)
	w.Fail(errNoPong)
	_, _ = w.Read(make([]byte, 1))
	if err := <-lost; !errors.Is(err, errNoPong) {
		t.Fatal(err)
	}
	if w.Publish(Publication{Topic: "t"}) {
		t.Fatal("published on a failed wire")
	}
}

// chunks is a reader that returns its data in pieces of given sizes.
type chunks struct {
	data  []byte
	sizes []int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := len(p)
	if len(c.sizes) > 0 {
		n, c.sizes = min(n, c.sizes[0]), c.sizes[1:]
	}
	n = copy(p[:n], c.data)
	c.data = c.data[n:]
	return n, nil
}

func TestReadAhead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 40000).Draw(t, "data")
		src := &chunks{data: data, sizes: rapid.SliceOf(rapid.IntRange(1, 10000)).Draw(t, "sizes")}
		var r readAhead
		var got []byte
		for {
			p := make([]byte, rapid.IntRange(1, 9000).Draw(t, "read"))
			n, err := r.read(src, p)
			got = append(got, p[:n]...)
			if err != nil {
				break
			}
		}
		if !bytes.Equal(got, data) {
			t.Fatalf("got %d bytes, want %d", len(got), len(data))
		}
	})
}

func TestPublicationIsWhatPahoReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Publication{
			Topic:   rapid.StringN(1, 300, -1).Draw(t, "topic"),
			Payload: rapid.SliceOfN(rapid.Byte(), 0, 40000).Draw(t, "payload"),
			QoS:     byte(rapid.IntRange(0, 2).Draw(t, "qos")),
			Dup:     rapid.Bool().Draw(t, "dup"),
		}
		if p.QoS > 0 {
			p.ID = rapid.Uint16Min(1).Draw(t, "id")
		}
		text := p.Append(nil)
		if len(text) > p.Size() {
			t.Fatalf("%d bytes, said %d", len(text), p.Size())
		}
		cp, err := packets.ReadPacket(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		got := cp.Content.(*packets.Publish)
		if got.Topic != p.Topic || !bytes.Equal(got.Payload, p.Payload) || got.QoS != p.QoS || got.Duplicate != p.Dup ||
			got.PacketID != p.ID || got.Retain {
			t.Fatalf("got %v", got)
		}
	})
}
