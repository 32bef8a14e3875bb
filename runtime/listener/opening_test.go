package listener

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func openPipe(t *testing.T, o *opening) (*openingConn, net.Conn) {
	near, far := net.Pipe()
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return o.begin(near, netip.Addr{}), far
}

func closedByUs(far net.Conn) bool {
	_ = far.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := far.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// A new connection evicts the oldest silent one, never one that is in its handshake.
func TestOpeningSilent(t *testing.T) {
	o := newOpening(1)
	shaking, _ := openPipe(t, o)
	if !shaking.enter(o.shaking, netip.Addr{}) {
		t.Fatal("no place for a handshake")
	}
	var silent []*openingConn
	var far []net.Conn
	for range 10 {
		e, f := openPipe(t, o)
		silent, far = append(silent, e), append(far, f)
	}
	for i, e := range silent {
		evicted := i < len(silent)-silentPerHandshake
		if closedByUs(far[i]) != evicted || e.done() == evicted {
			t.Errorf("number %d of %d: it should be evicted: %v", i, len(silent), evicted)
		}
	}
	if !shaking.done() {
		t.Error("the silent took the place of a handshake")
	}
	if o.silent.Len()+o.shaking.Len()+len(o.conns) != 0 {
		t.Error("something is left")
	}
}

// A new handshake evicts the oldest that waits for its peer, never one that waits for this side.
func TestOpeningHandshakes(t *testing.T) {
	o := newOpening(2)
	o.slots = make(chan struct{}, 2) // on one processor, too
	enter := func() (*openingConn, net.Conn, bool) {
		e, far := openPipe(t, o)
		return e, far, e.enter(o.shaking, netip.Addr{})
	}
	computing, _, _ := enter()
	computing.acquire()
	waiting, far, _ := enter()
	if _, _, ok := enter(); ok {
		t.Fatal("a third place of two that both wait for us")
	}
	waiting.acquire()
	waiting.release()
	if _, _, ok := enter(); !ok || !closedByUs(far) {
		t.Fatal("the one that waits for its peer did not make room")
	}
	if !computing.done() || waiting.done() {
		t.Error("the wrong one was evicted")
	}
	if _, _, ok := enter(); !ok {
		t.Error("a place that was given back is not free")
	}
}

// At most one handshake per processor computes at once; waiting for the peer frees its slot.
func TestOpeningSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOpening(100)
		var computing []*openingConn
		for range cap(o.slots) {
			e, _ := openPipe(t, o)
			e.acquire()
			computing = append(computing, e)
		}
		late, _ := openPipe(t, o)
		got := false
		go func() { late.acquire(); got = true }()
		if synctest.Wait(); got {
			t.Error("more compute than there are processors")
		}
		computing[0].release()
		if synctest.Wait(); !got {
			t.Error("the slot was not passed on")
		}
	})
}

// A closing listener gives handshakes in progress 2 s, whatever their timeout.
func TestOpeningClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOpening(100)
		before, _ := openPipe(t, o)
		before.bound(time.Hour)
		start := time.Now()
		o.close()
		after, _ := openPipe(t, o)
		after.bound(time.Hour)
		for _, e := range []*openingConn{before, after} {
			if _, err := e.conn.Read(make([]byte, 1)); err == nil || time.Since(start) != openingGrace {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		}
	})
}
