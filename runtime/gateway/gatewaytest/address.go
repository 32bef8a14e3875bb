package gatewaytest

import (
	"net"
	"testing"
)

// FreeAddress returns an address of 127.0.0.1 where nothing listens. The system may give the port to another process.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
