package mqtt

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// comebacks is how often a device logs in again.
const comebacks = 5

// comeback is a device that logs in again at once when it is kicked.
type comeback struct {
	t       *testing.T
	gateway *Shared
	kicked  atomic.Int32
	pending *sync.WaitGroup
}

func (r *comeback) Deliver(gateway.Message) bool { return true }

func (r *comeback) SessionLost(reason gateway.CloseReason) {
	if reason.Is(gateway.ReasonDiscarded) && r.kicked.Add(1) <= comebacks {
		r.logIn()
	}
}

func (r *comeback) logIn() {
	r.pending.Go(func() {
		if _, err := tryLogIn(r.gateway, "device", r); err != nil {
			r.t.Error(err)
		}
	})
}

// TestSharedRivals has two devices with one client id at two gateways, which both come back whenever they are kicked: it settles.
func TestSharedRivals(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	var pending sync.WaitGroup
	var rivals []*comeback
	for _, node := range []string{"x", "y"} {
		r := &comeback{t: t, gateway: newGateway(t, b.URL(), node), pending: &pending}
		logIn(t, r.gateway, "unrelated-"+node)
		rivals = append(rivals, r)
	}
	for _, r := range rivals {
		r.logIn()
	}
	gatewaytest.Eventually(t, "one of the two to give up", func() bool {
		return max(rivals[0].kicked.Load(), rivals[1].kicked.Load()) > comebacks
	})
	pending.Wait()
	for i, r := range rivals {
		loser := r.kicked.Load() > comebacks
		if left := r.gateway.session("device"); (left == nil) != loser {
			t.Errorf("gateway %d: kicked %d times, the session that is left is %v", i, r.kicked.Load(), left)
		}
	}
}
