package udp

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func countPeers(m *Mux) int { return int(m.peers.Load()) }

// apart finds n subnets that share no bucket.
func apart(m *Mux, n int) (nets []int) {
	taken := make(map[*leakyBucket]bool)
	for i := 0; len(nets) < n; i++ {
		if slot := m.budget.slot(fromNet(i, 1, 1).Addr()); !taken[slot] {
			taken[slot] = true
			nets = append(nets, i)
		}
	}
	return nets
}

// New peers come at their rate in all, and a prefix has no more than its share.
func TestNewPeersAreBudgeted(t *testing.T) {
	limits := func(c *muxConfig) { c.newPeers, c.newPeersPrefix = 50, 20 }
	muxed(t, limits, func(t *testing.T, w *wire, m *Mux, _ *heard) {
		nets := apart(m, 3)
		for i := range 100 {
			w.send(fromNet(nets[0], 1+i%200, i), "flood")
		}
		synctest.Wait()
		if n := countPeers(m); n != 20 {
			t.Errorf("%d peers of one prefix, want 20", n)
		}
		for i := range 20 {
			w.send(fromNet(nets[1], 1, i), "flood")
			w.send(fromNet(nets[2], 1, i), "flood")
		}
		synctest.Wait()
		if n := countPeers(m); n != 50 {
			t.Errorf("%d peers in all, want 50", n)
		}
		time.Sleep(time.Second)
		w.send(fromNet(nets[0], 2, 9999), "later")
		synctest.Wait()
		if n := countPeers(m); n != 51 {
			t.Errorf("%d peers a second later, want 51", n)
		}
		if n := m.cfg.losses.count(lostNewPeerRate); n != 90 {
			t.Errorf("%d refused for the rate", n)
		}
	})
}

// Datagrams of known peers are handled, however full the listener is.
func TestMaxPeersKeepsThoseThatAreThere(t *testing.T) {
	muxed(t, func(c *muxConfig) { c.maxPeers = 1 }, func(t *testing.T, w *wire, m *Mux, h *heard) {
		w.send(from(1, 1), "first")
		w.send(from(2, 1), "second")
		w.send(from(1, 1), "third")
		expect(t, h, "10.0.100.1 first, 10.0.100.1 third")
		if n := m.cfg.losses.count(lostTooManyPeers); n != 1 {
			t.Errorf("%d refused for the maximum", n)
		}
	})
}

func TestPrefixOf(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.255", true},
		{"192.0.2.1", "192.0.3.1", false},
		{"192.0.2.1", "198.0.2.1", false},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
	} {
		same := prefixOf(netip.MustParseAddr(c.a)) == prefixOf(netip.MustParseAddr(c.b))
		if same != c.same {
			t.Errorf("%s and %s share a budget: %v", c.a, c.b, same)
		}
	}
}
