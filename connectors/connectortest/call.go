package connectortest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Call is a Publish, Subscribe or Unsubscribe in flight.
type Call struct {
	results chan gateway.Result
	times   atomic.Int32
}

// NewCall returns a Call; pass its [Call.Done] to the session.
func NewCall() *Call { return &Call{results: make(chan gateway.Result, 16)} }

// Done stores the result.
func (c *Call) Done(r gateway.Result) {
	c.times.Add(1)
	select {
	case c.results <- r:
	default:
	}
}

// Result waits for the result.
func (c *Call) Result(t testing.TB) gateway.Result {
	t.Helper()
	select {
	case r := <-c.results:
		return r
	case <-time.After(patience):
		t.Fatalf("no result after %v", patience)
		return gateway.Result{}
	}
}

// Times returns how often Done was called.
func (c *Call) Times() int { return int(c.times.Load()) }

// Publish publishes and waits for the result.
func Publish(t testing.TB, s gateway.Session, topic string, qos byte, payload string) gateway.Result {
	t.Helper()
	c := NewCall()
	s.Publish(topic, qos, []byte(payload), nil, c.Done)
	return c.Result(t)
}

// Subscribe subscribes and waits for the result.
func Subscribe(t testing.TB, s gateway.Session, filter string, qos byte) gateway.Result {
	t.Helper()
	c := NewCall()
	s.Subscribe(filter, qos, c.Done)
	return c.Result(t)
}

// Unsubscribe unsubscribes and waits for the result.
func Unsubscribe(t testing.TB, s gateway.Session, filter string) gateway.Result {
	t.Helper()
	c := NewCall()
	s.Unsubscribe(filter, c.Done)
	return c.Result(t)
}

func wantOK(t testing.TB, what string, r gateway.Result) {
	t.Helper()
	if !r.Ok() {
		t.Fatalf("%s: %v", what, r)
	}
}

func wantCode(t testing.TB, what string, r gateway.Result, code gateway.ResultCode) {
	t.Helper()
	if r.Code != code {
		t.Fatalf("%s: got %v, want %v", what, r, code)
	}
	if r.Message == "" {
		t.Fatalf("%s: %v without a message", what, r.Code)
	}
}
