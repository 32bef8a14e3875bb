package mqtt

import (
	"fmt"
	"strconv"
	"testing"
)

// TestOverlap has devices with filters that overlap, on one connection and on several: each message comes, and once where one filter matches.
func TestOverlap(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker, merges bool) {
		for _, connections := range []int{1, 4} {
			s := newShared(t, Config{URL: b.URL(), Node: fmt.Sprint("node-", connections)}, SharedConfig{Connections: connections})
			exact, wild, both := logIn(t, s, "exact"), logIn(t, s, "wild"), logIn(t, s, "both")
			exact.subscribe(t, "t/1", 1)
			wild.subscribe(t, "t/#", 1)
			both.subscribe(t, "t/1", 1)
			both.subscribe(t, "t/+", 1)
			if s.mode.merges() != merges {
				t.Fatalf("the broker is taken for one that merges: %v", !merges)
			}
			from := logIn(t, s, "from")
			const n = 50
			for i := range n {
				publish(t, from, "t/1", 1, strconv.Itoa(i))
			}
			flushed(t, from, exact, wild, both)
			for i := range n {
				exact.wants(t, strconv.Itoa(i))
				wild.wants(t, strconv.Itoa(i))
			}
			for _, m := range []*member{exact, wild} {
				m.wants(t, "flush")
				m.wantsNoMore(t)
			}
			copies := map[string]int{}
			for len(copies) < n {
				copies[string(both.Next(t).Payload)]++
			}
			for payload, got := range copies {
				if got > 2 || (merges && connections == 1 && got > 1 && payload != "flush") {
					t.Errorf("%d connections: %d copies of %s", connections, got, payload)
				}
			}
			for _, m := range []*member{exact, wild, both, from} {
				m.Close()
			}
		}
	})
}

// TestQoSOfEach has devices with different QoS share a filter: each gets the lower of its own and that of the message.
func TestQoSOfEach(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker, _ bool) {
		s := newShared(t, quick(b.URL()), SharedConfig{})
		var members [3]*member
		for own := range members {
			members[own] = logIn(t, s, fmt.Sprint("device-", own))
			members[own].subscribe(t, "t", byte(own))
		}
		from := logIn(t, s, "from")
		for published := range byte(3) {
			publish(t, from, "t", published, "x")
			for own, m := range members {
				if got := m.Next(t); got.QoS != min(published, byte(own)) {
					t.Errorf("a message of QoS %d comes with %d to a subscription with %d", published, got.QoS, own)
				}
			}
		}
		members[2].subscribe(t, "t", 0)
		publish(t, from, "t", 2, "x")
		if got := members[2].Next(t); got.QoS != 0 {
			t.Errorf("got QoS %d after subscribing again with 0", got.QoS)
		}
	})
}
