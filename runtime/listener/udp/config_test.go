package udp_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/udp"
)

func TestListenUDPErrorNamesTheAddress(t *testing.T) {
	s := serveUDP(t, udp.Config{}, listenertest.Send)
	addr := s.listener.Addr().String()
	_, err := udp.Listen(t.Context(), udp.Config{Bind: addr})
	if err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("a second listener on %s: %v", addr, err)
	}
}

func TestListenUDPRefusesNonsense(t *testing.T) {
	for want, cfg := range map[string]udp.Config{
		"opening UDP listener: maximum of peers: -1 must be a number and not negative": {MaxPeers: -1},
		"opening UDP listener: idle timeout: -1 must be a number and not negative":     {IdleTimeout: -time.Second},
		"opening UDP listener: new peers a second: NaN must be a number and not negative": {
			NewPeersPerSecond: math.NaN(),
		},
		"opening UDP listener: largest datagram: -5 must be a number and not negative": {MaxDatagram: -5},
		"opening UDP listener: listen udp: address nonsense: missing port in address":  {Bind: "nonsense"},
	} {
		if _, err := udp.Listen(t.Context(), cfg); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
