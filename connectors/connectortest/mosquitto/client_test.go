package mosquitto

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// connectPacket is an MQTT 5 CONNECT with Clean Start and the client id "plain", section 3.1.
var connectPacket = append([]byte{0x10, 18, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 0, 0, 5}, "plain"...)

// wantConnack sends CONNECT and expects the broker to accept it.
func wantConnack(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := conn.Write(connectPacket); err != nil {
		t.Fatal(err)
	}
	readConnack(t, conn)
}

func readConnack(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	head := make([]byte, 4) // type, length, flags, reason code
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatalf("waiting for CONNACK: %v", err)
	}
	if head[0] != 0x20 || !bytes.Equal(head[2:], []byte{0, 0}) {
		t.Fatalf("got % x instead of CONNACK with success", head)
	}
}
