package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// stateFixture is a fixture whose handler keeps state.
func stateFixture(t *testing.T) (*fixture, *gatewaytest.States) {
	t.Helper()
	w, states := newFixture(t, gateway.Limits{IdleTimeout: time.Hour, MaxCalls: 3}, ""), new(gatewaytest.States)
	w.h.keeps = true
	w.gw.SetStateStore(states)
	return w, states
}

// loggedIn authenticates and returns the state that came with the result.
func loggedIn(t *testing.T, c gateway.ConnectionAdapter, id string) (state string, r gateway.Result) {
	t.Helper()
	done := make(chan gateway.Result, 1)
	r = c.Authenticate(gateway.ClientInfo{ClientID: id}, "", func(r gateway.Result) {
		state = string(c.State())
		done <- r
	})
	if !r.Ok() {
		return "", r
	}
	return state, <-done
}

func stateLog(t *testing.T, s *gatewaytest.States, want ...string) {
	t.Helper()
	synctest.Wait()
	equal(t, "the store's calls", strings.Join(s.Take(), "\n"), strings.Join(want, "\n"))
}

func TestStateComesWithTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, states := stateFixture(t)
		key := gateway.StateKey{Owner: "listener/l", ClientID: "dev"}
		states.Put(key, []byte("7"))
		c := w.lis.open(t, newSocket(-1))
		if state, r := loggedIn(t, c, "dev"); state != "7" || !r.Ok() {
			t.Errorf("login: %q %v", state, r)
		}
		synctest.Wait()
		if c.State() != nil {
			t.Error("the state is kept after the login")
		}
		w.stop(t)
		stateLog(t, states, `open listener/l "dev"`, `close "dev"`)
	})
}

func TestStateIsCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, states := stateFixture(t)
		c := w.lis.open(t, newSocket(-1))
		loggedIn(t, c, "dev")
		stateLog(t, states, `open listener/l "dev"`)
		var acked []string
		save := func(value string) {
			t.Helper()
			if r := c.SaveState([]byte(value), func(r gateway.Result) {
				acked = append(acked, value+" "+r.Code.String())
			}); !r.Ok() {
				t.Errorf("SaveState(%s): %v", value, r)
			}
		}
		save("1") // at once
		stateLog(t, states, `save "dev" "1"`)
		save("2")
		for range 1000 {
			c.SaveState([]byte("x"), nil)
		}
		save("3")
		stateLog(t, states)
		time.Sleep(500 * time.Millisecond)
		stateLog(t, states, `save "dev" "3"`)
		time.Sleep(time.Minute)
		save("") // deletes, at once
		c.SaveState([]byte("4"), nil)
		stateLog(t, states, `save "dev" ""`)
		w.stop(t) // writes what waits
		stateLog(t, states, `save "dev" "4"`, `close "dev"`)
		equal(t, "results", strings.Join(acked, "\n"), "1 SUCCESS\n2 SUCCESS\n3 SUCCESS\n SUCCESS")
	})
}

// While the store is slow, one write of a device is in progress, and what is saved meanwhile is one value.
func TestStateOfASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, states := stateFixture(t)
		c := w.lis.open(t, newSocket(-1))
		loggedIn(t, c, "dev")
		states.Hold(true)
		for i := range 100 {
			c.SaveState(fmt.Append(nil, i), nil)
			time.Sleep(100 * time.Millisecond)
		}
		stateLog(t, states, `open listener/l "dev"`, `save "dev" "0"`)
		states.Hold(false)
		stateLog(t, states, `save "dev" "99"`)
		w.stop(t)
	})
}

func TestSaveStateRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, states := stateFixture(t)
		c := w.lis.open(t, newSocket(-1))
		refused := func(what string, code gateway.ResultCode, size int, done gateway.Done) {
			t.Helper()
			if r := c.SaveState(make([]byte, size), done); r.Code != code {
				t.Errorf("%s: %v, want %v", what, r, code)
			}
		}
		refused("before the login", gateway.CodePermissionDeny, 1, nil)
		loggedIn(t, c, "dev")
		refused("at the bound", gateway.CodeSuccess, 4096, nil)
		refused("above the bound", gateway.CodeLimit, 4097, nil)
		states.Hold(true)
		for range 3 {
			refused("calls", gateway.CodeSuccess, 1, func(gateway.Result) {})
		}
		refused("too many calls", gateway.CodeLimit, 1, func(gateway.Result) {})
		refused("without a result", gateway.CodeSuccess, 1, nil)
		states.Hold(false)
		synctest.Wait()
		c.Close(gateway.ReasonNormal)
		refused("closed", gateway.CodeConnProcessNotAlive, 1, nil)
		w.stop(t)

		w = newFixture(t, gateway.Limits{}, "")
		c = w.lis.open(t, newSocket(-1))
		loggedIn(t, c, "dev")
		refused("without a store", gateway.CodeUnsupported, 1, nil)
		w.stop(t)
	})
}

// The older connection hands over what it has not saved, before the newer one reads; and saves nothing afterwards.
func TestStateIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, states := stateFixture(t)
		older, newer := w.lis.open(t, newSocket(-1)), w.lis.open(t, newSocket(-1))
		loggedIn(t, older, "dev")
		older.SaveState([]byte("1"), nil)
		older.SaveState([]byte("2"), nil)
		if state, _ := loggedIn(t, newer, "dev"); state != "2" {
			t.Errorf("the newer connection got %q", state)
		}
		if r := older.SaveState([]byte("late"), nil); r.Code != gateway.CodeConnProcessNotAlive {
			t.Errorf("a late save: %v", r)
		}
		newer.SaveState([]byte("3"), nil)
		stateLog(t, states, `open listener/l "dev"`, `save "dev" "1"`, `save "dev" "2"`, `close "dev"`,
			`open listener/l "dev"`, `save "dev" "3"`)
		w.stop(t)
	})
}

// A login without its state is refused: the handler would begin anew, and overwrite it.
func TestLoginWithoutItsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, states := stateFixture(t)
		fail := errors.New("the disk is gone")
		states.Opening = func(context.Context, gateway.StateKey) error { return fail }
		c := w.lis.open(t, newSocket(-1))
		if _, r := loggedIn(t, c, "dev"); r.Code != gateway.CodeUnknown {
			t.Errorf("login: %v", r)
		}
		fail = nil
		if _, r := loggedIn(t, c, "dev"); !r.Ok() {
			t.Errorf("the next login: %v", r)
		}
		// a connection that closes meanwhile
		entered := make(chan struct{})
		states.Opening = func(ctx context.Context, _ gateway.StateKey) error {
			close(entered)
			<-ctx.Done()
			return ctx.Err()
		}
		c = w.lis.open(t, newSocket(-1))
		c.Authenticate(gateway.ClientInfo{ClientID: "other"}, "", nil)
		<-entered
		c.Close(gateway.ReasonNormal)
		w.stop(t)
	})
}

// A failed write is the result of the calls that waited for it.
func TestStateThatIsNotSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, states := stateFixture(t)
		states.Outcome = gateway.Refuse(gateway.CodeUnknown, "the disk is full")
		c := w.lis.open(t, newSocket(-1))
		loggedIn(t, c, "dev")
		result := make(chan gateway.Result, 1)
		c.SaveState([]byte("1"), func(r gateway.Result) { result <- r })
		if r := <-result; r != states.Outcome {
			t.Errorf("the result is %v", r)
		}
		w.stop(t)
	})
}
