package wasm

import "github.com/exgate/exgate/runtime/gateway"

const (
	longCalls = 200     // host calls in an event that make it long: about a millisecond of publishes
	longFuel  = 500_000 // and so does as much fuel
	leastTurn = 512     // bytes
)

// turn is how many received bytes a connection hands to its instance in one event. Connections of an instance take turns; where the events of one are
// long, each of its turns gets less, so that the others wait for a millisecond and not for all that it sent. Datagrams are never split for that.
type turn struct {
	bytes int
	most  int
	fixed bool
}

func newTurn(most uint32, socket gateway.SocketType) turn {
	return turn{bytes: int(most), most: int(most), fixed: socket >= gateway.SocketUDP}
}

// after looks at what an event with n received bytes has cost.
func (t *turn) after(n, calls int, fuel uint64) {
	switch {
	case t.fixed:
	case calls > longCalls || fuel > longFuel:
		t.bytes = max(min(t.bytes, n)/2, min(leastTurn, t.most))
	case t.bytes < t.most && n == t.bytes && calls < longCalls/4 && fuel < longFuel/4:
		t.bytes = min(2*t.bytes, t.most)
	}
}
