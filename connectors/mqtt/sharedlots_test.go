package mqtt

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestSharedLots has two thousand devices come, get a message of their own and one for all, and leave: nothing is left of them.
func TestSharedLots(t *testing.T) {
	const n = 2000
	b := mosquitto.Start(t, mosquitto.Options{})
	s := newShared(t, quick(b.URL()), SharedConfig{})
	from := logIn(t, s, "from")
	before := runtime.NumGoroutine()
	var own, common atomic.Int32
	sessions, calls := make([]gateway.Session, n), make([]*connectortest.Call, 0, 2*n)
	for i := range n {
		device := took(func(m gateway.Message) {
			if m.Topic == "common" {
				common.Add(1)
			} else if m.Topic == fmt.Sprint("own/", i) {
				own.Add(1)
			}
		})
		var err error
		if sessions[i], err = tryLogIn(s, fmt.Sprint("device-", i), device); err != nil {
			t.Fatal(err)
		}
		one, all := connectortest.NewCall(), connectortest.NewCall()
		sessions[i].Subscribe(fmt.Sprint("own/", i), 1, one.Done)
		sessions[i].Subscribe("common", 1, all.Done)
		calls = append(calls, one, all)
	}
	for _, call := range calls {
		if r := call.Result(t); !r.Ok() {
			t.Fatal(r)
		}
	}
	publish(t, from, "common", 1, "x")
	for i := range n {
		publish(t, from, fmt.Sprint("own/", i), 1, "x")
	}
	gatewaytest.Eventually(t, "a message of each kind for each device", func() bool { return own.Load() == n && common.Load() == n })
	for _, session := range sessions {
		session.Close()
	}
	wantNoRoutes(t, s)
	if left := s.all(); len(left) != 1 {
		t.Errorf("%d sessions are left", len(left))
	}
	gatewaytest.Eventually(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= before })
}

// took is a device that gets messages.
type took func(m gateway.Message)

func (f took) Deliver(m gateway.Message) bool {
	f(m)
	return true
}

func (took) SessionLost(gateway.CloseReason) {}
