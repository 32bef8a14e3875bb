package rollout

import (
	"fmt"
	"net/netip"
	"sync/atomic"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm"
)

// smokeBytes is what the device of a smoke test sends: an empty line in a text protocol, two bytes in a binary one.
const smokeBytes = "\r\n"

// smokeTest runs a short connection: a guest that fails at it would fail for every device. Its calls go nowhere.
func smokeTest(e *wasm.Engine) error {
	adapter := &scratchAdapter{}
	h, err := e.NewHandler(adapter)
	if err != nil {
		return fmt.Errorf("smoke test: %w", err)
	}
	localhost := netip.AddrPortFrom(netip.IPv6Loopback(), 1)
	err = h.OnSocketCreated(gateway.ConnInfo{SocketType: gateway.SocketTCP, Peer: localhost, Local: localhost})
	what := "a new connection"
	if err == nil && !adapter.closed.Load() {
		what, err = "an empty line", h.OnReceivedBytes([]byte(smokeBytes))
		if gateway.ReasonOf(err).Is(gateway.ReasonGuestFailed) {
			err = nil // a script may throw on bytes that are not a frame of its protocol
		}
	}
	if closing := h.OnSocketClosed(gateway.ReasonNormal); err == nil && closing != nil {
		what, err = "the end of a connection", closing
	}
	if err != nil {
		return fmt.Errorf("smoke test: the guest fails at %s: %w", what, err)
	}
	return nil
}

// scratchAdapter is a connection without a device. It accepts every call, and no result ever comes.
type scratchAdapter struct {
	gateway.NullAdapter
	closed atomic.Bool
}

func (*scratchAdapter) ID() string { return "smoke-test" }

func (a *scratchAdapter) Close(gateway.CloseReason) gateway.Result {
	a.closed.Store(true)
	return gateway.OK
}
