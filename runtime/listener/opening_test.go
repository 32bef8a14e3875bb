package listener

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func openPipe(t *testing.T, o *opening) (*openingConn, net.Conn) {
	near, far := net.Pipe()
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return o.add(near), far
}

func closedByUs(far net.Conn) bool {
	_ = far.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := far.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// A newcomer takes the place of the oldest that keeps us waiting, never of one that is young or that waits for us.
func TestOpeningMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOpening(2)
		computing, _ := openPipe(t, o)
		computing.compute()
		waiting, far := openPipe(t, o)
		if e, _ := openPipe(t, o); e != nil {
			t.Fatal("a third place of two")
		}
		time.Sleep(evictAfter)
		if e, _ := openPipe(t, o); e == nil || !closedByUs(far) {
			t.Fatal("the one that waits did not make room")
		}
		if !computing.done() || waiting.done() {
			t.Error("the wrong one was evicted")
		}
		if e, _ := openPipe(t, o); e == nil {
			t.Error("a place that was given back is not free")
		}
		if e, _ := openPipe(t, o); e != nil {
			t.Error("a place of those that are young")
		}
	})
}

// As many compute at once as there are processors; a turn is free while its holder waits for the peer.
func TestOpeningTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOpening(100)
		var turns []*openingConn
		for range cap(o.turns) {
			e, _ := openPipe(t, o)
			e.compute()
			turns = append(turns, e)
		}
		late, _ := openPipe(t, o)
		got := false
		go func() { late.compute(); got = true }()
		if synctest.Wait(); got {
			t.Error("more turns than processors")
		}
		turns[0].rest()
		if synctest.Wait(); !got {
			t.Error("the turn was not passed on")
		}
	})
}

// A closing listener leaves 2 s to what is under way, however long it might have taken.
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
