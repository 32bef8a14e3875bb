package remote_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// A backend that hangs only affects its own devices: those at another backend are served.
func TestBackendThatHangsTakesOnlyItsShare(t *testing.T) {
	ledgers := []*ledger{newLedger(), newLedger()}
	leave := make(chan struct{})
	ledgers[0].stuck = func(event string) {
		if event == "+stuck" {
			<-leave
		}
	}
	var addresses []string
	for _, l := range ledgers {
		address, _ := serveHandler(t, "", l)
		addresses = append(addresses, address)
	}
	defer close(leave)
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	d := serveDevices(t,
		remote.ClientConfig{Name: "demo", Addresses: addresses, MaxInFlight: 8, CallTimeout: time.Minute}, a)
	d.connected(t, 2)
	conns := make([]net.Conn, 40)
	for i := range conns {
		conns[i] = d.connect(t)
	}
	gatewaytest.Eventually(t, "all are created",
		func() bool { return ledgers[0].count("created")+ledgers[1].count("created") == len(conns) })
	if n := ledgers[0].count("created"); n != len(conns)/2 {
		t.Errorf("%d devices are at the backend that hangs", n)
	}
	tell(t, conns, "stuck")
	gatewaytest.Eventually(t, "the other's devices are served",
		func() bool { return ledgers[1].count("bytes") == len(conns)/2 })
	tell(t, conns, "again")
	gatewaytest.Eventually(t, "and again", func() bool {
		n := 0
		ledgers[1].each(func(_ string, events []string) {
			if strings.HasSuffix(spoke(events), "again") {
				n++
			}
		})
		return n == len(conns)/2
	})
	if n := ledgers[0].count("bytes"); n > 4 {
		t.Errorf("%d calls are under way at the backend that hangs", n)
	}
}
