package listenertest

import (
	"net"
	"testing"
	"time"
)

// DialUDP connects a socket to addr from an address of its own; from may be empty.
func DialUDP(t testing.TB, from, addr string) *net.UDPConn {
	t.Helper()
	d := net.Dialer{}
	if from != "" {
		d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(90 * time.Second))
	return c.(*net.UDPConn)
}

// Ask sends b and returns the answer.
func Ask(t testing.TB, c net.Conn, b []byte) []byte {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	return Answer(t, c)
}

// Answer reads one datagram.
func Answer(t testing.TB, c net.Conn) []byte {
	t.Helper()
	buf := make([]byte, 70_000)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// AskAgain asks until there is an answer: a flood fills the socket's buffer, and the kernel may drop anybody's datagram
// then.
func AskAgain(t *testing.T, c *net.UDPConn) {
	t.Helper()
	buf := make([]byte, 100)
	for range 900 {
		_, _ = c.Write([]byte("x"))
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, err := c.Read(buf); err == nil && string(buf[:n]) == "x" {
			return
		}
	}
	t.Error("no answer")
}
