package udp_test

import (
	"net"
	"testing"

	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/udp"
)

// A socket bound to all addresses answers from the destination address: a connected peer receives nothing else.
func TestUDPAnswersFromTheAddressThatWasAsked(t *testing.T) {
	for _, bind := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		t.Run(bind, func(t *testing.T) {
			s := serveUDP(t, udp.Config{Bind: bind}, listenertest.Send)
			_, port, _ := net.SplitHostPort(s.listener.Addr().String())
			targets := []string{"127.0.0.2", "127.0.0.1"}
			if bind != "0.0.0.0:0" {
				targets = append(targets, "::1")
			}
			for _, target := range targets {
				c := listenertest.DialUDP(t, "", net.JoinHostPort(target, port))
				if got := listenertest.Ask(t, c, []byte(target)); string(got) != target {
					t.Errorf("got %q", got)
				}
				if info := <-s.Info; info.Local.Addr().String() != target ||
					info.Peer.String() != c.LocalAddr().String() {
					t.Errorf("asked %s, info %+v", target, info)
				}
			}
		})
	}
}
