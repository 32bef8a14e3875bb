package brokers

import (
	"io"
	"net"
	"testing"
	"time"
)

// connectPlain is an MQTT 5 CONNECT with Clean Start and the client id "plain".
const connectPlain = "\x10\x12\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x05plain"

// Packet types, MQTT 5, section 2.1.2.
const (
	connack    = 2
	publish    = 3
	puback     = 4
	suback     = 9
	disconnect = 14
)

// dial opens a connection and sends the encoded packets.
func dial(t *testing.T, b *Broker, packets string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	send(t, conn, packets)
	return conn
}

func send(t *testing.T, conn net.Conn, packets string) {
	t.Helper()
	if _, err := io.WriteString(conn, packets); err != nil {
		t.Fatal(err)
	}
}

// next reads a packet of at most 127 bytes, checks its type, and returns what follows the fixed header.
func next(t *testing.T, conn net.Conn, kind byte) string {
	t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, head[1])
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Fatal(err)
	}
	if head[0]>>4 != kind {
		t.Fatalf("got a packet of type %d, want %d: % x", head[0]>>4, kind, body)
	}
	return string(body)
}
