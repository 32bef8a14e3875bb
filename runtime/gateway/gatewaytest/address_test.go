package gatewaytest

import (
	"net"
	"testing"
)

// Every process has ports of its own, and passes those that are in use.
func TestFreeAddress(t *testing.T) {
	var other portBlock
	seen := map[string]bool{}
	for range 3 * portsOfBlock {
		mine := FreeAddress(t)
		theirs, err := other.next()
		if err != nil {
			t.Fatal(err)
		}
		if seen[mine] = true; seen[theirs] {
			t.Fatalf("%s is an address of two processes", theirs)
		}
	}
	if len(seen) != portsOfBlock-1 {
		t.Errorf("%d addresses, want %d", len(seen), portsOfBlock-1)
	}
	l, err := net.Listen("tcp", FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_ = other.claim.Close()
	for range portsOfBlock {
		if a := FreeAddress(t); a == l.Addr().String() {
			t.Fatalf("%s is in use", a)
		}
	}
}
