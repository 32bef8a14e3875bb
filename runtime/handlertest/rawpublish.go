package handlertest

import (
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

// RunRawPublish plays the one scenario in which the kinds of handlers differ: a device that is not logged in requests a
// raw publish. If that is allowed, the upstream sees its topic without the mountpoint. newFactory may ignore raw.
func RunRawPublish(t *testing.T, allowed bool, newFactory func(t *testing.T,
	raw *gateway.RawPublisher) gateway.HandlerFactory,
) {
	watchLog(t)
	sc := newScene(t)
	raw := sc.gateway.NewRawPublisher("upstream", gateway.ClientInfo{ClientID: "raw"}, rightPassword)
	sc.open(scenario{mountpoint: "site/"}, newFactory(t, raw))
	t.Cleanup(raw.Close)
	d := sc.dial(1)
	code, seen := 1, ""
	if allowed {
		code, seen = 0, "t/raw qos 2 past everything"
	}
	d.ask(`{"type":10,"topic":"t/raw","qos":2,"payload":"past everything"}`, ack(4, code))
	sc.flow(seen)
	sc.leave(d, 1)
}
