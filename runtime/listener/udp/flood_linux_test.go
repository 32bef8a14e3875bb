package udp_test

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/udp"
)

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// flood sends one datagram from each of n sources: as forged addresses are, all different, spread over 127.0.0.0/8.
func flood(t testing.TB, addr string, n int) {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for i := range n {
		info := &unix.Inet4Pktinfo{Spec_dst: [4]byte{127, byte(1 + i>>16), byte(i >> 8), byte(i)}}
		if _, _, err := c.WriteMsgUDP([]byte("flood"), unix.PktInfo4(info), to); err != nil {
			t.Fatal(err)
		}
		if i%64 == 0 {
			runtime.Gosched()
		}
	}
}

// While forged sources flood the listener, a known peer is served. The peers that the flood creates are bounded,
// and removed when it ends.
func TestUDPFloodOfForgedSources(t *testing.T) {
	s := serveUDP(t, udp.Config{MaxPeers: 500, NewPeersPerSecond: 300, IdleTimeout: 2 * time.Second}, listenertest.Send)
	addr := s.listener.Addr().String()
	device := listenertest.DialUDP(t, "", addr)
	listenertest.Ask(t, device, []byte("before"))
	before := heap()
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		for range 20 {
			flood(t, addr, 5000)
		}
	}()
	id := ""
	for c := range s.Gateway.Conns() {
		if c.Info().Peer.String() == device.LocalAddr().String() {
			id = c.ID()
		}
	}
	for flooding := true; flooding; {
		select {
		case <-flooded:
			flooding = false
		default:
		}
		listenertest.AskAgain(t, device)
		if n := s.open(); n > 2*500 { // those that are seeing their last event come on top
			t.Fatalf("%d connections", n)
		}
	}
	if s.dropped(t, "new_peer_rate")+s.dropped(t, "max_peers") == 0 {
		t.Error("the flood met no bound")
	}
	gatewaytest.Eventually(t, "only the device is left",
		func() bool { listenertest.AskAgain(t, device); return s.open() == 1 })
	if _, ok := s.Gateway.Conn(id); !ok {
		t.Error("the device lost its connection")
	}
	for len(s.Closed) > 0 {
		if r := <-s.Closed; !r.Is(gateway.ReasonIdleTimeout) {
			t.Fatalf("closed with %v", r)
		}
	}
	if after := heap(); after > before+1<<20 {
		t.Errorf("the heap went from %d to %d bytes", before, after)
	}
}

// waitingEcho is an Echo whose handlers wait as a remote one's do.
type waitingEcho struct{ *listenertest.Echo }

func (waitingEcho) HandlersWait() {}

// Sources whose handlers wait for another process, more than the workers that the listener has, hold up no other peer.
func TestUDPWaitingHandlersHoldUpNobodyElse(t *testing.T) {
	const sources = 2048
	hold := make(chan struct{})
	var waiting atomic.Int64
	echo := listenertest.NewEcho(func(a gateway.ConnectionAdapter, b []byte) {
		if string(b) == "flood" {
			waiting.Add(1)
			<-hold
		}
		a.Send(b)
	})
	l, err := udp.Listen(t.Context(), udp.Config{Bind: "127.0.0.1:0", NewPeersPerSecond: 1e9})
	if err != nil {
		t.Fatal(err)
	}
	gatewaytest.Serve(t, l, waitingEcho{echo}, listenertest.NoUpstream{}, gateway.Limits{})
	t.Cleanup(func() { close(hold) })
	addr := l.Addr().String()
	gatewaytest.Eventually(t, "the handlers of all sources wait", func() bool {
		flood(t, addr, sources) // the kernel may drop some
		return waiting.Load() >= sources
	})
	for range 3 {
		listenertest.AskAgain(t, listenertest.DialUDP(t, "", addr)) // the kernel may drop this, too
	}
}

// What the kernel drops because the socket's buffer is full is counted.
func TestUDPCountsWhatTheKernelDrops(t *testing.T) {
	hold := make(chan struct{})
	s := serveUDP(t, udp.Config{ReadBuffer: 1, MaxPeers: 1, IdleTimeout: 500 * time.Millisecond},
		func(gateway.ConnectionAdapter, []byte) { <-hold })
	gatewaytest.Eventually(t, "the small buffer overflowed", func() bool {
		flood(t, s.listener.Addr().String(), 1000)
		return s.dropped(t, "receive_buffer_full") > 0
	})
	close(hold)
}

// BenchmarkUDPIdlePeer reports the heap bytes of one peer that sent one datagram, with its connection.
func BenchmarkUDPIdlePeer(b *testing.B) {
	const peers = 10_000
	for b.Loop() {
		s := serveUDP(b, udp.Config{NewPeersPerSecond: 1e9}, func(gateway.ConnectionAdapter, []byte) {})
		before := heap()
		for deadline := time.Now().Add(20 * time.Second); s.open() < peers; { // the kernel may drop some
			if time.Now().After(deadline) {
				b.Fatalf("%d of %d peers", s.open(), peers)
			}
			flood(b, s.listener.Addr().String(), peers)
		}
		b.ReportMetric(float64(heap()-before)/peers, "B/peer")
		if err := s.Gateway.RemoveListener(b.Context(), "l"); err != nil {
			b.Fatal(err)
		}
	}
}
