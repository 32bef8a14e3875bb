package udp

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// wire is a UDP socket without a network, so that time can be a test's.
type wire struct {
	in      chan arrival
	stopped chan struct{}
	last    arrival

	overflows atomic.Uint32
}

func newWire() *wire { return &wire{in: make(chan arrival), stopped: make(chan struct{})} }

func (w *wire) read() (int, error) {
	select {
	case w.last = <-w.in:
		return 1, nil
	case <-w.stopped:
		return 0, net.ErrClosed
	}
}
func (w *wire) at(int) arrival                                 { return w.last }
func (w *wire) write([]byte, netip.AddrPort, netip.Addr) error { return nil }
func (w *wire) addr() netip.AddrPort                           { return netip.MustParseAddrPort("192.0.2.1:5000") }
func (w *wire) overflowed() uint32                             { return w.overflows.Load() }
func (w *wire) stop()                                          { close(w.stopped) }
func (w *wire) close() error                                   { return nil }

// send has the mux take a datagram, and waits until nothing moves.
func (w *wire) send(source netip.AddrPort, text string) {
	w.in <- arrival{b: []byte(text), source: source}
	synctest.Wait()
}

func from(host, port int) netip.AddrPort { return fromNet(100, host, port) }

func fromNet(subnet, host, port int) netip.AddrPort {
	return netip.MustParseAddrPort(fmt.Sprintf("10.0.%d.%d:%d", subnet, host, port))
}

// heard records the calls of all receivers.
type heard struct {
	mu   sync.Mutex
	seen []string
	wait chan struct{} // a receiver that gets "wait" waits for it
}

func (h *heard) add(p *Peer, what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, fmt.Sprintf("%v %s", p.Addr().Addr(), what))
}

// take returns the new calls, once everything is idle.
func (h *heard) take() string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := strings.Join(h.seen, ", ")
	h.seen = nil
	return seen
}

type heardPeer struct {
	*heard
	p         *Peer
	keepAlive bool
}

func (h *heardPeer) Ready(func()) bool { return true }

func (h *heardPeer) Receive(b []byte) {
	h.add(h.p, string(b))
	switch string(b) {
	case "wait":
		<-h.wait
	case "remote":
		h.p.mux.workers.beginWait()
		<-h.wait
		h.p.mux.workers.endWait()
	case "close":
		h.p.Close()
		h.p.Close()
	case "keepalive":
		h.keepAlive = true
	}
}

func (h *heardPeer) Idle() {
	if !h.keepAlive {
		h.add(h.p, "idle")
		h.p.Close()
	}
}
func (h *heardPeer) Ended() { h.add(h.p, "ended") }

// muxed runs test in a bubble with a mux that serves; limits changes its configuration.
func muxed(t *testing.T, limits func(*muxConfig), test func(t *testing.T, w *wire, m *Mux, h *heard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, h := newWire(), &heard{wait: make(chan struct{})}
		cfg := muxConfig{
			Hooks:       Hooks{NewPeer: func(p *Peer) Receiver { return &heardPeer{heard: h, p: p} }},
			idleTimeout: 30 * time.Second, maxPeers: 1000, newPeers: 1000, newPeersPrefix: 1000,
			queueDatagrams: 4, queueBytes: 100, workers: 8, losses: newLossCounters(NewMetrics(nil), "udp"),
			log: slog.New(slog.DiscardHandler),
		}
		if limits != nil {
			limits(&cfg)
		}
		m := newMux(w, cfg)
		served := make(chan struct{})
		go func() { m.Serve(); close(served) }()
		test(t, w, m, h)
		_ = m.Stop()
		_ = m.Stop()
		<-served
		for i := range m.shards {
			s := &m.shards[i]
			s.mu.Lock()
			left := slices.Collect(func(yield func(*Peer) bool) {
				for _, p := range s.peers {
					yield(p)
				}
			})
			s.mu.Unlock()
			for _, p := range left {
				p.Close()
			}
		}
		<-m.ended
	})
}

func expect(t *testing.T, h *heard, want string) {
	t.Helper()
	if got := h.take(); got != want {
		t.Errorf("seen:\n%s\nwant:\n%s", got, want)
	}
}

func (c *lossCounters) count(l loss) int { return int(testutil.ToFloat64(c[l])) }

// A peer ends after the idle timeout since its own last datagram; the traffic of others does not extend it.
func TestMuxIdleTimeoutIsEachPeersOwn(t *testing.T) {
	muxed(t, nil, func(t *testing.T, w *wire, m *Mux, h *heard) {
		a, b := from(1, 1), from(2, 1)
		w.send(a, "hello")
		for range 4 {
			w.send(b, "alive")
			time.Sleep(9 * time.Second)
		}
		expect(t, h, "10.0.100.1 hello, 10.0.100.2 alive, 10.0.100.2 alive, 10.0.100.2 alive, 10.0.100.2 alive, "+
			"10.0.100.1 idle, 10.0.100.1 ended")
		time.Sleep(30 * time.Second)
		expect(t, h, "10.0.100.2 idle, 10.0.100.2 ended")
		if n := m.peers.Load(); n != 0 {
			t.Errorf("%d peers left", n)
		}
	})
}

// A receiver that does not close on idle is asked again.
func TestMuxIdleReceiverMayStay(t *testing.T) {
	muxed(t, nil, func(t *testing.T, w *wire, m *Mux, h *heard) {
		w.send(from(1, 1), "keepalive")
		time.Sleep(time.Hour)
		expect(t, h, "10.0.100.1 keepalive")
		if n := m.peers.Load(); n != 1 {
			t.Errorf("%d peers", n)
		}
	})
}

// A peer that was closed gets its last call once, and what its source sends next makes another.
func TestMuxCloseMakesRoom(t *testing.T) {
	muxed(t, nil, func(t *testing.T, w *wire, m *Mux, h *heard) {
		w.send(from(1, 1), "close")
		expect(t, h, "10.0.100.1 close, 10.0.100.1 ended")
		w.send(from(1, 1), "again")
		expect(t, h, "10.0.100.1 again")
	})
}

// A slow receiver delays only its own datagrams, which are bounded.
func TestMuxSlowPeerDelaysNobodyElse(t *testing.T) {
	muxed(t, nil, func(t *testing.T, w *wire, m *Mux, h *heard) {
		w.send(from(1, 1), "wait")
		for i := range 6 {
			w.send(from(1, 1), fmt.Sprint(i))
		}
		w.send(from(2, 1), "hello")
		time.Sleep(3 * growAfter) // one processor has one worker until then
		expect(t, h, "10.0.100.1 wait, 10.0.100.2 hello")
		close(h.wait)
		expect(t, h, "10.0.100.1 0, 10.0.100.1 1, 10.0.100.1 2, 10.0.100.1 3")
		if n := m.cfg.losses.count(lostQueueFull); n != 2 {
			t.Errorf("%d dropped", n)
		}
	})
}

// More workers start while handlers block, up to their bound, and all exit when idle.
func TestMuxWorkersGrowWhereReceiversBlock(t *testing.T) {
	muxed(t, nil, func(t *testing.T, w *wire, m *Mux, h *heard) {
		for i := range 10 {
			w.send(from(i, 1), "wait")
		}
		time.Sleep(time.Second)
		if n := strings.Count(h.take(), "wait"); n != 8 {
			t.Errorf("%d receivers at work, want the bound of 8", n)
		}
		close(h.wait)
		if n := strings.Count(h.take(), "wait"); n != 2 {
			t.Errorf("%d receivers after the others, want 2", n)
		}
		if m.workers.running != 0 {
			t.Errorf("%d workers for nothing to do", m.workers.running)
		}
	})
}

// Receivers that wait for another process do not count against the bound, however many they are, and what they leave
// behind are not more workers than before.
func TestMuxWaitingReceiversAreReplaced(t *testing.T) {
	muxed(t, nil, func(t *testing.T, w *wire, m *Mux, h *heard) {
		before := time.Now()
		for i := range 250 {
			w.send(from(i, 1), "remote")
		}
		w.send(from(251, 1), "hello")
		if got := h.take(); strings.Count(got, "remote") != 250 || !strings.HasSuffix(got, "10.0.100.251 hello") {
			t.Errorf("seen:\n%s", got)
		}
		if d := time.Since(before); d != 0 {
			t.Errorf("peers waited %v for a worker", d)
		}
		for i := range 250 {
			w.send(from(i, 1), "again")
		}
		close(h.wait)
		if n := strings.Count(h.take(), "again"); n != 250 {
			t.Errorf("%d of 250 second datagrams", n)
		}
		for i := range 10 {
			w.send(from(i, 1), "more")
		}
		if n := strings.Count(h.take(), "more"); n != 10 {
			t.Errorf("%d of 10 later datagrams", n)
		}
		if m.workers.running != 0 || m.workers.most != m.workers.base {
			t.Errorf("%d workers for nothing to do, %d may run", m.workers.running, m.workers.most)
		}
	})
}

// One datagram always fits the queue, more only within its bytes.
func TestMuxQueueIsBoundedInBytes(t *testing.T) {
	muxed(t, nil, func(t *testing.T, w *wire, m *Mux, h *heard) {
		w.send(from(1, 1), "wait")
		w.send(from(1, 1), strings.Repeat("x", 1000))
		w.send(from(1, 1), "y")
		close(h.wait)
		expect(t, h, "10.0.100.1 wait, 10.0.100.1 "+strings.Repeat("x", 1000))
		if n := m.cfg.losses.count(lostQueueFull); n != 1 {
			t.Errorf("%d dropped", n)
		}
	})
}

// What waits for a peer that is closed is dropped, and counted.
func TestMuxCloseDropsTheQueue(t *testing.T) {
	muxed(t, nil, func(t *testing.T, w *wire, m *Mux, h *heard) {
		w.send(from(1, 1), "wait")
		w.send(from(1, 1), "late")
		m.find(from(1, 1)).Close()
		expect(t, h, "10.0.100.1 wait")
		close(h.wait)
		expect(t, h, "10.0.100.1 ended")
		if n := m.cfg.losses.count(lostClosed); n != 1 {
			t.Errorf("%d dropped", n)
		}
	})
}

// What the kernel dropped is counted within an idle timeout.
func TestMuxCountsWhatTheKernelDropped(t *testing.T) {
	muxed(t, nil, func(t *testing.T, w *wire, m *Mux, _ *heard) {
		for _, total := range []uint32{1<<32 - 5, 10} { // it wraps around
			w.overflows.Store(total)
			time.Sleep(30 * time.Second)
		}
		synctest.Wait()
		if n := m.cfg.losses.count(lostOverflow); n != 1<<32+10 {
			t.Errorf("%d dropped", n)
		}
	})
}
