package wasm

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

// sends records the bytes of each Send. No other method is called.
type sends struct {
	gateway.ConnectionAdapter
	got []string
}

func (s *sends) Send(b []byte) gateway.Result {
	s.got = append(s.got, string(b))
	return gateway.OK
}

// What an event sends to its own connection is sent in order and unmerged, even if one send is too large to be kept.
func TestOutboxKeepsOrderAndBoundaries(t *testing.T) {
	to := &sends{}
	c := &connection{id: 1, adapter: to}
	in := &instance{
		limits: &Limits{HostCalls: 10, CallBytes: 1 << 20}, connections: map[int64]*connection{1: c},
		current: c,
	}
	in.budget.reset(in.limits)
	large := bytes.Repeat([]byte("x"), outboxBytes+1)
	for _, b := range [][]byte{[]byte("one"), []byte("two"), large, []byte("three")} {
		if code := in.Send(1, b); code != 0 {
			t.Fatalf("send: code %d", code)
		}
	}
	if len(to.got) != 3 || to.got[0] != "one" || to.got[1] != "two" || len(to.got[2]) != len(large) {
		t.Errorf("%d sends went out before the event ended", len(to.got))
	}
	in.out.flush(to)
	if len(to.got) != 4 || to.got[3] != "three" {
		t.Errorf("%d sends in all", len(to.got))
	}
}

// What is sent to another connection of the instance is not delayed.
func TestSendToAnotherConnectionGoesOutAtOnce(t *testing.T) {
	own, other := &sends{}, &sends{}
	c := &connection{id: 1, adapter: own}
	in := &instance{
		limits: &Limits{HostCalls: 10, CallBytes: 1 << 20}, current: c,
		connections: map[int64]*connection{1: c, 2: {id: 2, adapter: other}},
	}
	in.budget.reset(in.limits)
	in.Send(1, []byte("kept"))
	in.Send(2, []byte("sent"))
	if len(own.got) != 0 || len(other.got) != 1 {
		t.Errorf("own %q, other %q", own.got, other.got)
	}
}

// caller is sends with a call that others can see.
type caller struct{ sends }

func (c *caller) Publish(topic string, _ uint32, _ []byte, _ gateway.Done) gateway.Result {
	c.got = append(c.got, "publish "+topic)
	return gateway.OK
}

func (c *caller) StartTimer(gateway.TimerType, uint32) gateway.Result {
	c.got = append(c.got, "timer")
	return gateway.OK
}

// The guest's calls keep their order.
func TestSendsStayBeforeTheCallsAfterThem(t *testing.T) {
	to := &caller{}
	c := &connection{id: 1, adapter: to}
	in := &instance{
		limits: &Limits{HostCalls: 10, CallBytes: 1 << 20}, connections: map[int64]*connection{1: c},
		current: c,
	}
	in.budget.reset(in.limits)
	in.Send(1, []byte("a"))
	in.Publish(1, 0, []byte("t"), 0, nil)
	in.Send(1, []byte("b"))
	in.StartTimer(1, 0, 1)
	in.Send(1, []byte("c"))
	in.out.flush(to)
	if got := fmt.Sprint(to.got); got != "[a publish t b timer c]" {
		t.Errorf("order %s", got)
	}
}
