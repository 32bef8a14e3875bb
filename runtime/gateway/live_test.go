package gateway_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/exgate/exgate/runtime/gateway"
)

func cfg(handler, connector string) gateway.ListenerConfig {
	return gateway.ListenerConfig{Handler: handler, Connector: connector}
}

// A new version of a handler gets new connections. Open ones get OnDrain and keep theirs, which is freed after the
// last.
func TestReplacingAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		old := newSocket(-1)
		c := w.lis.open(t, old)
		next := newScript()
		if err := w.gw.SetHandler("h", next); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		fresh := newSocket(-1)
		w.lis.open(t, fresh)
		old.in <- []byte("o")
		fresh.in <- []byte("f")
		synctest.Wait()
		equal(t, "old", w.h.String(), "created\ndrain\nbytes o")
		equal(t, "next", next.String(), "created\nbytes f")
		select {
		case <-w.h.freed:
			t.Error("freed while in use")
		default:
		}
		c.Close(gateway.ReasonNormal)
		<-w.h.freed
		w.stop(t)
	})
}

func TestReplacingAConnector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		old := w.lis.open(t, newSocket(-1))
		login(t, old, "o")
		next := newUpstream()
		if err := w.gw.SetConnector("c", next); err != nil {
			t.Fatal(err)
		}
		fresh := w.lis.open(t, newSocket(-1))
		login(t, fresh, "f")
		old.Publish("t", 0, nil, nil)
		fresh.Publish("t", 0, nil, nil)
		equal(t, "old", w.up.String(), "o publish t 0 ")
		equal(t, "next", next.String(), "f publish t 0 ")
		old.Close(gateway.ReasonNormal)
		<-w.up.freed
		w.stop(t)
	})
}

// Adding, changing and removing one listener leaves the connections of another alone.
func TestListenersAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		kept := newSocket(-1)
		w.lis.open(t, kept)

		other, h2 := newTestListener(), newScript()
		err := errors.Join(
			w.gw.SetHandler("h2", h2),
			w.gw.AddListener("l2", other, cfg("h", "c")),
			w.gw.ChangeListener("l2", cfg("h2", "c")),
		)
		if err != nil {
			t.Fatal(err)
		}
		other.open(t, newSocket(-1))
		if err := w.gw.RemoveListener(t.Context(), "l2"); err != nil {
			t.Fatal(err)
		}
		equal(t, "h2", h2.String(), "created\nclosed listener_removed")
		if err := w.gw.RemoveHandler("h2"); err != nil {
			t.Fatal(err)
		}
		<-h2.freed
		kept.in <- []byte("x")
		synctest.Wait()
		equal(t, "h", w.h.String(), "created\nbytes x")
		if _, err := other.attach(newSocket(-1)); err == nil {
			t.Error("a removed listener attached a connection")
		}
		w.stop(t)
	})
}

// The connections of a detached listener stay, alongside those of another listener with its name.
func TestDetachedListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		kept, next := newSocket(-1), newTestListener()
		w.lis.open(t, kept)
		if err := errors.Join(w.gw.DetachListener("l"), w.gw.AddListener("l", next, cfg("h", "c"))); err != nil {
			t.Fatal(err)
		}
		if _, err := w.lis.attach(newSocket(-1)); err == nil {
			t.Error("a detached listener attached a connection")
		}
		kept.in <- []byte("x")
		synctest.Wait()
		equal(t, "h", w.h.String(), "created\nbytes x")
		w.stop(t)
		equal(t, "h", w.h.String(), "created\nbytes x\ndrain\nclosed shutdown")
	})
}

func TestWrongNamesAreErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		for _, x := range []struct {
			err  error
			want string
		}{
			{w.gw.AddListener("l", newTestListener(), cfg("h", "c")), `adding listener "l": it already exists`},
			{w.gw.AddListener("m", newTestListener(), cfg("x", "c")), `listener "m": no handler is named "x"`},
			{w.gw.AddListener("m", newTestListener(), cfg("h", "x")), `listener "m": no connector is named "x"`},
			{w.gw.ChangeListener("m", cfg("h", "c")), `changing listener "m": it does not exist`},
			{w.gw.ChangeListener("l", cfg("x", "c")), `listener "l": no handler is named "x"`},
			{w.gw.RemoveListener(t.Context(), "m"), `removing listener "m": it does not exist`},
			{w.gw.DetachListener("m"), `detaching listener "m": it does not exist`},
			{w.gw.RemoveHandler("x"), `removing handler "x": it does not exist`},
			{w.gw.RemoveHandler("h"), `removing handler "h": listener "l" uses it`},
			{w.gw.RemoveConnector("c"), `removing connector "c": listener "l" uses it`},
		} {
			if x.err == nil || x.err.Error() != x.want {
				t.Errorf("got %v, want %s", x.err, x.want)
			}
		}
		w.stop(t)
	})
}

// If the session of RawPublish is lost, while it is opened, later, or unnoticed, the next call opens a new one.
func TestRawPublishComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		p := w.gw.NewRawPublisher("c", gateway.ClientInfo{ClientID: "raw"}, "")
		publish := func(payload string) gateway.ResultCode {
			done := make(chan gateway.Result, 1)
			if r := p.RawPublish("t", 1, []byte(payload), func(r gateway.Result) { done <- r }); !r.Ok() {
				return r.Code
			}
			return (<-done).Code
		}
		w.up.connected = func(d gateway.Downlink) { d.SessionLost(gateway.ReasonUpstreamLost) }
		if got := publish("lost while connecting"); got != gateway.CodeUnknown {
			t.Error(got)
		}
		w.up.connected = nil
		if got := publish("1"); got != gateway.CodeSuccess {
			t.Error(got)
		}
		w.up.down["raw"].SessionLost(gateway.ReasonUpstreamLost)
		if got := publish("2"); got != gateway.CodeSuccess {
			t.Error(got)
		}
		w.up.result = gateway.Result{Code: gateway.CodeConnProcessNotAlive}
		if got := publish("ended without a word"); got != gateway.CodeConnProcessNotAlive {
			t.Error(got)
		}
		w.up.result = gateway.OK
		if got := publish("3"); got != gateway.CodeSuccess {
			t.Error(got)
		}
		w.stop(t) // frees the connector: no lease is left
		<-w.up.freed
		equal(t, "upstream", w.up.String(),
			"raw close\nraw publish t 1 1\nraw publish t 1 2\nraw publish t 1 ended without a word\n"+
				"raw publish t 1 3\nraw close")
	})
}

func TestRawPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "mounted/")
		p := w.gw.NewRawPublisher("c", gateway.ClientInfo{ClientID: "raw"}, "")
		done := make(chan gateway.Result, 1)
		for range 2 {
			if r := p.RawPublish("t", 1, []byte("x"), func(r gateway.Result) { done <- r }); !r.Ok() {
				t.Fatal(r)
			}
			if r := <-done; !r.Ok() {
				t.Fatal(r)
			}
		}
		if r := p.RawPublish("t/#", 1, nil, nil); r.Code != gateway.CodeParamsTypeError {
			t.Error(r)
		}
		if r := w.gw.NewRawPublisher("x", gateway.ClientInfo{}, "").RawPublish("t", 0, nil,
			nil); r.Code != gateway.CodeUnknown {
			t.Error(r)
		}
		w.stop(t) // closes the publisher's session
		equal(t, "upstream", w.up.String(), "raw publish t 1 x\nraw publish t 1 x\nraw close")
	})
}
