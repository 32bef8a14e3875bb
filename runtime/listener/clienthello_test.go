package listener

import (
	"bytes"
	"crypto/tls"
	"net"
	"testing"
)

// aTLSHello is the first message of a client of crypto/tls.
func aTLSHello(t testing.TB) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	go func() { _ = tls.Client(near, &tls.Config{ServerName: "exgate.test"}).Handshake() }()
	b := make([]byte, 16<<10)
	n, err := far.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// inRecords spreads the message of one record over records of size bytes.
func inRecords(hello []byte, size int) (b []byte) {
	for message := hello[tlsRecordHeader:]; len(message) > 0; {
		n := min(size, len(message))
		b = append(b, tlsHandshake, 3, 1, byte(n>>8), byte(n))
		b = append(b, message[:n]...)
		message = message[n:]
	}
	return b
}

func TestHelloWhole(t *testing.T) {
	hello := aTLSHello(t)
	for _, whole := range [][]byte{
		hello, inRecords(hello, 1), inRecords(hello, 3), inRecords(hello, 100),
		append(bytes.Clone(hello), "more"...),
	} {
		if len(whole) > maxHeldHello {
			whole = whole[:maxHeldHello]
		}
		end := len(whole)
		if bytes.HasSuffix(whole, []byte("more")) {
			end -= len("more")
		}
		for n := range whole {
			if helloWhole(whole[:n]) != (n >= end) {
				t.Fatalf("%d of %d bytes are a whole hello: %v", n, end, helloWhole(whole[:n]))
			}
		}
		if !helloWhole(whole) {
			t.Errorf("%d bytes are no whole hello", len(whole))
		}
	}
	// What is none goes to crypto/tls at once, which says so.
	for _, not := range []string{
		"G", "GET / HTTP/1.1\r\n", "\x15\x03\x01\x00\x02\x01\x00", "\x16\x03\x01\x00\x00",
		"\x16\x03\x01\x00\x05\x02",
	} {
		if !helloWhole([]byte(not)) {
			t.Errorf("%q is waited for", not)
		}
	}
}

func FuzzHelloWhole(f *testing.F) {
	hello := aTLSHello(f)
	f.Add(hello)
	f.Add(inRecords(hello, 7))
	f.Add([]byte("\x16\x03\x01\x02\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := false
		for n := range b { // more bytes never make less of it
			now := helloWhole(b[:n])
			if whole && !now {
				t.Fatalf("%d bytes are less than %d", n, n-1)
			}
			whole = now
		}
	})
}
