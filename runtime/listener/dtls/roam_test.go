package dtls_test

import (
	"net"
	"sync/atomic"
	"testing"

	pion "github.com/pion/dtls/v3"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// A device that lost its session to a reboot gets a new one from the same port, and the old connection ends.
func TestDTLSRebootOnTheSamePort(t *testing.T) {
	s := serveDTLS(t, certDTLS(t), gateway.Limits{}, listenertest.Send)
	socket := udpSocket(t, "127.0.0.1:0")
	bind := socket.LocalAddr().String()
	c, err := s.client(t, socket)
	if err != nil {
		t.Fatal(err)
	}
	dtlsEchoes(t, c, "before")
	_ = socket.Close() // no close_notify
	again, err := s.client(t, udpSocket(t, bind))
	if err != nil {
		t.Fatal(err)
	}
	dtlsEchoes(t, again, "after")
	if r := <-s.Closed; !r.Is(gateway.ReasonConnReset) {
		t.Errorf("closed with %v", r)
	}
	if n := s.listener.Peers(); n != 1 {
		t.Errorf("%d peers", n)
	}
}

// A device moves to another address within its session, where connection IDs are on.
func TestDTLSConnectionID(t *testing.T) {
	cfg := certDTLS(t)
	cfg.ConnectionIDs = true
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	n := newNAT(t, s.addr())
	c, err := pion.ClientWithOptions(udpSocket(t, "127.0.0.1:0"), n.inside.LocalAddr(),
		pion.WithInsecureSkipVerify(true),
		pion.WithConnectionIDGenerator(pion.OnlySendCIDGenerator()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	dtlsEchoes(t, c, "here")
	for range 3 {
		n.move(t)
		dtlsEchoes(t, c, "there")
	}
	if len(s.Info) != 1 || len(s.Closed) != 0 {
		t.Errorf("%d connections, %d closed", len(s.Info), len(s.Closed))
	}
	_ = c.Close()
	<-s.Closed
	gatewaytest.Eventually(t, "the addresses to go", func() bool { return s.listener.Peers() == 0 })
}

// nat is a proxy between a device and the gateway that changes the device's address at each move.
type nat struct {
	inside  *net.UDPConn
	gateway *net.UDPAddr
	outside atomic.Pointer[net.UDPConn]
	device  atomic.Pointer[net.UDPAddr]
}

func newNAT(t *testing.T, gateway *net.UDPAddr) *nat {
	t.Helper()
	n := &nat{inside: udpSocket(t, "127.0.0.1:0"), gateway: gateway}
	n.move(t)
	go func() {
		for b := make([]byte, 8192); ; {
			size, device, err := n.inside.ReadFromUDP(b)
			if err != nil {
				return
			}
			n.device.Store(device)
			_, _ = n.outside.Load().WriteToUDP(b[:size], n.gateway)
		}
	}()
	return n
}

func (n *nat) move(t *testing.T) {
	t.Helper()
	outside := udpSocket(t, "127.0.0.1:0")
	n.outside.Store(outside)
	go func() {
		for b := make([]byte, 8192); ; {
			size, _, err := outside.ReadFromUDP(b)
			if err != nil {
				return
			}
			_, _ = n.inside.WriteToUDP(b[:size], n.device.Load())
		}
	}()
}
