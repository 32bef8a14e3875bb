package connectortest

import (
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

func (f *fixture) testTakeover(t *testing.T) {
	id, topic := unique("client"), unique("topic")
	old, dOld := f.connect(t, id)
	wantOK(t, "subscribing", Subscribe(t, old, topic, 0))
	young, dYoung := f.connect(t, id)
	if r := dOld.Lost(t); !r.Is(gateway.ReasonDiscarded) {
		t.Fatalf("the older session was lost for %v, want %v", r, gateway.ReasonDiscarded)
	}
	wantCode(t, "publishing on a lost session", Publish(t, old, topic, 1, "x"), gateway.CodeConnProcessNotAlive)
	old.Close()
	wantOK(t, "subscribing", Subscribe(t, young, topic, 0))
	wantOK(t, "publishing", Publish(t, young, topic, 1, "mine"))
	dYoung.Next(t)
	if n := dOld.Unread(); n != 0 {
		t.Fatalf("%d messages came to the lost session", n)
	}
	if dOld.Losses() != 1 || dYoung.Losses() != 0 {
		t.Fatalf("sessions were lost %d and %d times", dOld.Losses(), dYoung.Losses())
	}
}

func (f *fixture) testClose(t *testing.T) {
	other, dOther := f.connect(t, unique("other"))
	s, d := f.connect(t, unique("client"))
	topic := unique("topic")
	wantOK(t, "subscribing", Subscribe(t, s, topic, 1))
	wantOK(t, "subscribing", Subscribe(t, other, topic, 1))
	s.Close()
	s.Close()
	wantOK(t, "publishing", Publish(t, other, topic, 1, "x"))
	dOther.Next(t)
	if d.Unread() != 0 || d.Losses() != 0 {
		t.Fatalf("a closed session got %d messages and %d losses", d.Unread(), d.Losses())
	}
	for qos := byte(0); qos <= 2; qos++ {
		wantCode(t, "publishing", Publish(t, s, topic, qos, "x"), gateway.CodeConnProcessNotAlive)
	}
	wantCode(t, "subscribing", Subscribe(t, s, topic, 0), gateway.CodeConnProcessNotAlive)
	wantCode(t, "unsubscribing", Unsubscribe(t, s, topic), gateway.CodeConnProcessNotAlive)
}

// testCloseCompletes closes sessions with calls in flight and expects exactly one result for each.
func (f *fixture) testCloseCompletes(t *testing.T) {
	for range 10 {
		s, _ := f.connect(t, unique("client"))
		var calls []*Call
		start := func(use func(gateway.Done)) {
			c := NewCall()
			calls = append(calls, c)
			use(c.Done)
		}
		for i := range byte(30) {
			start(func(done gateway.Done) { s.Publish(unique("topic"), i%3, []byte("x"), nil, done) })
			start(func(done gateway.Done) { s.Subscribe(unique("topic"), i%3, done) })
			start(func(done gateway.Done) { s.Unsubscribe(unique("topic"), done) })
		}
		s.Close()
		for _, c := range calls {
			if r := c.Result(t); !r.Ok() && r.Code != gateway.CodeConnProcessNotAlive {
				t.Fatalf("a call under way ended with %v", r)
			}
		}
		for _, c := range calls {
			if c.Times() != 1 {
				t.Fatalf("done was called %d times", c.Times())
			}
		}
	}
}
