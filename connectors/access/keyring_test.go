package access

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// fetched is a set of keys at a URL.
type fetched struct {
	mu    sync.Mutex
	keys  []verifyKey // guarded by mu
	err   error       // guarded by mu
	times int         // guarded by mu
}

// serve changes the key set.
func (f *fetched) serve(err error, keys ...verifyKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys, f.err = keys, err
}

func (f *fetched) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.times
}

func (f *fetched) source() *keySource {
	return &keySource{
		name: "https://keys", set: true, later: true, close: func() {},
		read: func(context.Context) ([]verifyKey, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.times++
			return f.keys, f.err
		},
	}
}

func rsaKey(id string) verifyKey { return verifyKey{id, rsaAlgorithms, id} }

// TestKeyringRefresh runs in a synctest bubble.
func TestKeyringRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fetched{keys: []verifyKey{rsaKey("a")}}
		log := &gatewaytest.Log{}
		k, err := newKeyring([]*keySource{f.source()}, 5*time.Minute, log.Logger())
		if err != nil {
			t.Fatal(err)
		}
		defer k.close()
		synctest.Wait()
		expect := func(what string, times int, ids ...string) {
			t.Helper()
			synctest.Wait()
			if n := f.count(); n != times {
				t.Errorf("%s: fetched %d times, want %d", what, n, times)
			}
			for _, id := range ids {
				if len(k.find(jose.RS256, id)) != 1 {
					t.Errorf("%s: key %s is not there", what, id)
				}
			}
		}
		renew := func() {
			t.Helper()
			if err := k.renew(t.Context()); err != nil {
				t.Error(err)
			}
		}
		expect("at start", 1, "a")
		f.serve(nil, rsaKey("b"))
		renew()
		expect("an unknown id at once", 1, "a")
		time.Sleep(minRenew)
		for range 100 {
			renew()
		}
		expect("an unknown id after a while", 2, "b")
		time.Sleep(5*time.Minute + time.Second)
		expect("time has come", 3, "b")

		down := errors.New("down")
		f.serve(down)
		time.Sleep(10*time.Minute + time.Second)
		expect("the URL is down", 5, "b")
		if err := k.trouble(); !errors.Is(err, down) {
			t.Error(err)
		}
		f.serve(nil, rsaKey("c"))
		time.Sleep(5 * time.Minute)
		expect("it is back", 6, "c")
		if k.trouble() != nil || len(k.find(jose.RS256, "b")) != 0 {
			t.Error("an old key stays")
		}
	})
}

func TestKeyringTriesAgainSoonWithoutKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fetched{err: errors.New("down")}
		k, err := newKeyring([]*keySource{f.source()}, time.Hour, (&gatewaytest.Log{}).Logger())
		if err != nil {
			t.Fatal(err)
		}
		defer k.close()
		synctest.Wait()
		f.serve(nil, rsaKey("a"))
		time.Sleep(minRenew)
		synctest.Wait()
		if len(k.find(jose.RS256, "")) != 1 {
			t.Error("the keys were not fetched")
		}
	})
}

func TestKeyringGivesUpWaiting(t *testing.T) {
	k, err := newKeyring([]*keySource{(&fetched{}).source()}, time.Hour, (&gatewaytest.Log{}).Logger())
	if err != nil {
		t.Fatal(err)
	}
	k.close()
	if err := k.renew(t.Context()); err == nil {
		t.Error("keys that nobody reads are renewed")
	}
}
