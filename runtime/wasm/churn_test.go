package wasm

import (
	"fmt"
	"sync"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// Concurrent connections that connect, talk, fault and close leave nothing behind and do not affect each other.
func TestIsolatedInstancesComeAndGo(t *testing.T) {
	e := engine(t, Config{Module: file(t, "hostile"), Isolation: IsolationConnection})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for round := range 25 {
				stayAWhile(t, e, fmt.Sprintf("x%d.%d", i, round), round%3 == 0)
			}
		})
		all.Go(e.isolated.freeIdleStacks)
	}
	all.Wait()
	if got, want := e.Stats(), (Stats{Connections: 200, Faults: 72}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if e.isolated.reserved != 0 || len(e.isolated.live) != 0 {
		t.Errorf("%d instances are held, %d live", e.isolated.reserved, len(e.isolated.live))
	}
}

func stayAWhile(t *testing.T, e *Engine, packet string, faulty bool) {
	d := gatewaytest.Connect(t, e)
	for range 5 {
		if err := d.Receive(packet); err != nil {
			t.Error(err)
		}
		expect(t, d, fmt.Sprintf("send %q", packet))
	}
	if faulty && d.Receive("t") == nil {
		t.Error("no fault")
	}
	if err := d.Handler.OnSocketClosed(gateway.ReasonTCPClosed); err != nil {
		t.Error(err)
	}
}

// An engine that closes while it has connections ends their instances between two events, never during one.
func TestCloseWhileEventsRun(t *testing.T) {
	e, err := New(
		t.Context(),
		Config{Name: "test", Module: file(t, "hostile"), Isolation: IsolationConnection, Logger: quiet},
	)
	must(t, err)
	var all sync.WaitGroup
	started := make(chan struct{}, 4)
	for range 4 {
		d := gatewaytest.Connect(t, e)
		all.Go(func() {
			for n := 0; d.Receive("g") == nil; n++ { // grows its memory
				if n == 3 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	must(t, e.Close(t.Context()))
	all.Wait()
	if _, err := e.isolated.start("late"); err == nil {
		t.Error("an instance starts after the end")
	}
}
