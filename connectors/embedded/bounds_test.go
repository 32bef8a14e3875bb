package embedded_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// packet is an MQTT packet of one type and its body.
func packet(first byte, body string) []byte {
	b := []byte{first}
	for n := len(body); ; {
		digit := byte(n & 0x7f)
		if n >>= 7; n > 0 {
			digit |= 0x80
		}
		if b = append(b, digit); n == 0 {
			break
		}
	}
	return append(b, body...)
}

func field(s string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s
}

func subscribePacket(filters ...string) []byte {
	body := "\x00\x01"
	for _, f := range filters {
		body += field(f) + "\x00"
	}
	return packet(0x82, body)
}

// ended waits until the broker has closed conn.
func ended(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(90 * time.Second))
	if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Fatal("the connection is still open")
	}
}

// TestSubscribersThatDoNotRead publishes much to network clients that read nothing: what waits for them is bounded,
// drops are counted, and one that reads gets what is published at its pace.
func TestSubscribersThatDoNotRead(t *testing.T) {
	m := embedded.NewMetrics(nil)
	b := start(t, embedded.Config{Listener: listen(t), Metrics: m})
	for i := range 30 {
		conn := rawConnect(t, b, fmt.Sprint("lazy", i), "")
		_, _ = conn.Write(subscribePacket("t"))
		if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil { // SUBACK
			t.Fatal(err)
		}
	}
	reader := rawConnect(t, b, "reader", "")
	_, _ = reader.Write(subscribePacket("t"))
	if _, err := io.ReadFull(reader, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	s, _ := connect(t, b, "publisher")
	payload := strings.Repeat("x", 64<<10)
	want := len(packet(0x30, field("t")+payload))
	for range 400 {
		if r := connectortest.Publish(t, s, "t", 0, payload); !r.Ok() {
			t.Fatal(r)
		}
		if n := b.Queued(); n > 100<<20 {
			t.Fatalf("%d bytes wait", n)
		}
		if _, err := io.ReadFull(reader, make([]byte, want)); err != nil {
			t.Fatalf("the client that reads: %v", err)
		}
	}
	if m.Dropped(embedded.DropClientFull) == 0 {
		t.Error("no drops counted")
	}
	gatewaytest.Eventually(t, "clients that read nothing are cut off", func() bool {
		return m.Closed(embedded.ClosedStalled) == 30
	})
	gatewaytest.Eventually(t, "nothing waits", func() bool { return b.Queued() == 0 })
}

func TestFirstPacketIsBounded(t *testing.T) {
	for name, first := range map[string][]byte{
		"too large":     {0x10, 0xff, 0xff, 0x7f},
		"no CONNECT":    packet(0x30, field("t")+"x"),
		"no length":     {0x10, 0xff, 0xff, 0xff, 0xff, 0xff},
		"just too much": packet(0x10, strings.Repeat("x", 512<<10+1))[:10],
	} {
		m := embedded.NewMetrics(nil)
		b := start(t, embedded.Config{Listener: listen(t), Metrics: m})
		conn, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(first)
		ended(t, conn)
		_ = conn.Close()
		if n := m.Closed(embedded.ClosedBadPacket); n != 1 {
			t.Errorf("%s: %v counted", name, n)
		}
	}
}

// TestLargePacketsAreBounded begins many large packets and finishes none.
func TestLargePacketsAreBounded(t *testing.T) {
	m := embedded.NewMetrics(nil)
	b := start(t, embedded.Config{Listener: listen(t), Metrics: m})
	for i := range 20 {
		conn := rawConnect(t, b, fmt.Sprint("slow", i), "")
		_, _ = conn.Write([]byte{0x30, 0xfc, 0xff, 0xff, 0x01}) // a little less than 4 MiB
	}
	gatewaytest.Eventually(t, "those beyond the bound are closed", func() bool {
		return m.Closed(embedded.ClosedBadPacket) >= 4
	})
	conn := rawConnect(t, b, "honest", "")
	_, _ = conn.Write(append(packet(0x30, field("t")+strings.Repeat("x", 1000)), packet(0xc0, "")...))
	if _, err := io.ReadFull(conn, make([]byte, 2)); err != nil { // PINGRESP
		t.Fatal(err)
	}
}

// TestHalfOpenConnectionsMakeRoom fills all places with connections that say nothing.
func TestHalfOpenConnectionsMakeRoom(t *testing.T) {
	m := embedded.NewMetrics(nil)
	b := start(t, embedded.Config{Listener: listen(t), MaxClients: 3, Metrics: m})
	honest := rawConnect(t, b, "honest", "")
	for range 5 {
		conn, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	gatewaytest.Eventually(t, "older ones make room", func() bool { return m.Closed(embedded.ClosedEvicted) == 3 })
	rawConnect(t, b, "another", "")
	_, _ = honest.Write(packet(0xc0, ""))
	if _, err := io.ReadFull(honest, make([]byte, 2)); err != nil {
		t.Fatalf("a client that has logged in: %v", err)
	}
}

func TestSubscriptionsOfAClientAreBounded(t *testing.T) {
	m := embedded.NewMetrics(nil)
	b := start(t, embedded.Config{Listener: listen(t), Metrics: m})
	many := make([]string, 1025)
	for i := range many {
		many[i] = fmt.Sprint("f/", i)
	}
	long := []string{
		strings.Repeat("a", 60_000), strings.Repeat("b", 60_000), strings.Repeat("c", 60_000),
		strings.Repeat("d", 60_000), strings.Repeat("e", 60_000),
	}
	for i, filters := range [][]string{many, long} {
		conn := rawConnect(t, b, "greedy", "")
		_, _ = conn.Write(subscribePacket(filters[:len(filters)-1]...))
		suback := make([]byte, 2)
		if _, err := io.ReadFull(conn, suback); err != nil || suback[0] != 0x90 {
			t.Fatalf("%x, %v", suback, err)
		}
		_, _ = conn.Write(subscribePacket(filters[len(filters)-1]))
		ended(t, conn)
		if n := m.Closed(embedded.ClosedSubscriptions); n != float64(i+1) {
			t.Errorf("%v counted", n)
		}
	}
	s, _ := connect(t, b, "device")
	for _, filter := range long[:4] {
		if r := connectortest.Subscribe(t, s, filter, 0); !r.Ok() {
			t.Fatal(r)
		}
	}
	if r := connectortest.Subscribe(t, s, long[4], 0); r.Ok() {
		t.Error("a device may have filters of any length in all")
	}
}

// TestRetainedMessagesAreBounded retains more than the limit, with publishes and wills.
func TestRetainedMessagesAreBounded(t *testing.T) {
	m := embedded.NewMetrics(nil)
	b := start(t, embedded.Config{Listener: listen(t), Metrics: m})
	conn := rawConnect(t, b, "flood", "")
	_, own := b.Retained() // $SYS
	sync := func() {
		t.Helper()
		_, _ = conn.Write(packet(0xc0, ""))
		if _, err := io.ReadFull(conn, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
	}
	payload := strings.Repeat("x", 1<<20)
	for i := range 70 {
		_, _ = conn.Write(packet(0x31, field(fmt.Sprint("r/", i))+payload))
		sync()
	}
	if n, kept := b.Retained(); n > 64<<20 || kept == own || kept >= own+64 {
		t.Errorf("%d bytes, %d messages are retained", n, kept)
	}
	dropped := m.Dropped(embedded.DropRetained)
	if dropped < 6 {
		t.Errorf("%v counted", dropped)
	}
	_, _ = conn.Write(packet(0x31, field("r/0")+strings.Repeat("y", 1<<20))) // replaces one of the same size
	sync()
	if n := m.Dropped(embedded.DropRetained); n != dropped {
		t.Error("a message could not be replaced")
	}
	for i := range 70 {
		_, _ = conn.Write(packet(0x31, field(fmt.Sprint("r/", i))))
	}
	sync()
	if n, kept := b.Retained(); n != 0 || kept != own {
		t.Errorf("%d bytes, %d messages are left", n, kept)
	}
	deep := bytes.Buffer{}
	for i := range 3000 {
		deep.Write(packet(0x31, field(fmt.Sprint(i, strings.Repeat("/x", 127)))+"x"))
	}
	_, _ = conn.Write(deep.Bytes())
	sync()
	if _, kept := b.Retained(); kept > 1000 {
		t.Errorf("%d messages of 128 levels are retained", kept)
	}
}

// TestStringsOfNetworkClients publishes what makes strict subscribers end their connection: none gets it.
func TestStringsOfNetworkClients(t *testing.T) {
	b := start(t, embedded.Config{Listener: listen(t)})
	s, d := connect(t, b, "device")
	if r := connectortest.Subscribe(t, s, "#", 0); !r.Ok() {
		t.Fatal(r)
	}
	for _, bad := range []string{
		"a\ufffe", "a\uffff", "a\ufdd0", "a\x01", "a\u0085", "\xed\xa0\x80", "a/+", "",
		strings.Repeat("/", 128),
	} {
		conn := rawConnect(t, b, "publisher", "")
		_, _ = conn.Write(packet(0x30, field(bad)+"x"))
		_, _ = conn.Write(packet(0x32, field(bad)+"\x00\x01x"))
		_, _ = conn.Write(subscribePacket("s/" + bad))
		_ = conn.Close()
	}
	for _, v5 := range []string{
		field("t") + string([]byte{9}) + "\x26" + field("k") + field("v\x01") + "x", // user property
		field("t") + string([]byte{8}) + "\x03" + field("ty\uffff") + "x",           // content type
		field("t") + string([]byte{6}) + "\x08" + field("a/#") + "x",                // response topic
	} {
		conn, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(packet(0x10, field("MQTT")+"\x05\x02\x00\x3c\x00"+field("five")))
		_, _ = conn.Write(packet(0x30, v5))
		ended(t, conn)
		_ = conn.Close()
	}
	for _, id := range []string{"a\x01", "a\ufffe"} {
		conn, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(packet(0x10, field("MQTT")+"\x04\x02\x00\x3c"+field(id)))
		ended(t, conn)
		_ = conn.Close()
	}
	if r := connectortest.Publish(t, s, "fence", 0, "x"); !r.Ok() {
		t.Fatal(r)
	}
	if m := d.Next(t); m.Topic != "fence" {
		t.Errorf("got %q", m.Topic)
	}
}
