package gatewaytest

import (
	"net"
	"testing"
)

// FreeAddress is an address of 127.0.0.1 where nothing listens at TCP. Whoever asks the system for a port next may get it.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
