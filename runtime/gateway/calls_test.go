package gateway_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

func TestCallsBeforeAuthenticate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		c := w.lis.open(t, newSocket(-1))
		never := func(gateway.Result) { t.Error("a refused call was completed") }
		for name, r := range map[string]gateway.Result{
			"publish":     c.Publish("t", 0, nil, never),
			"subscribe":   c.Subscribe("t", 0, never),
			"unsubscribe": c.Unsubscribe("t", never),
		} {
			if r.Code != gateway.CodePermissionDeny {
				t.Errorf("%s: %v", name, r)
			}
		}
		w.stop(t)
	})
}

func TestAuthenticateResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		w.up.connect = func(ctx context.Context, c gateway.ClientInfo) error {
			switch c.ClientID {
			case "silent":
				<-ctx.Done()
				return ctx.Err()
			case "down":
				return errors.New("dial tcp: connection refused")
			}
			return nil
		}
		c := w.lis.open(t, newSocket(-1))
		ask := func(id, password string) string {
			done := make(chan gateway.Result, 1)
			if r := c.Authenticate(gateway.ClientInfo{ClientID: id}, password,
				func(r gateway.Result) { done <- r }); !r.Ok() {
				return "refused " + r.String()
			}
			return (<-done).String()
		}
		c.StartTimer(gateway.TimerKeepalive, 3600)
		for _, x := range []struct{ id, password, want string }{
			{"a\x00b", "", "refused PARAMS_TYPE_ERROR: clientid and username must be UTF-8 without control " +
				"characters, at most 65535 bytes"},
			{"d", "wrong", "PERMISSION_DENY: bad password"},
			{"silent", "", "UNKNOWN: upstream did not answer within 5s"},
			{"down", "", "UNKNOWN: upstream cannot be reached"},
			{"d", "right", "SUCCESS"},
			{"d", "right", "refused PERMISSION_DENY: Duplicated authenticate command"},
		} {
			equal(t, "client "+x.id, ask(x.id, x.password), x.want)
		}
		if client, ok := c.Client(); !ok || client.ClientID != "d" {
			t.Errorf("client %v %v", client, ok)
		}
		w.stop(t)
	})
}

// A device whose handler sets no client id gets a unique one, which placeholders use.
func TestAssignedClientID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "site/${clientid}/")
		form := regexp.MustCompile(`^exgate[A-Z2-7]{17}$`)
		seen := map[string]bool{}
		for range 100 {
			c := w.lis.open(t, newSocket(-1))
			login(t, c, "")
			client, _ := c.Client()
			if !form.MatchString(client.ClientID) || seen[client.ClientID] ||
				client.Mountpoint != "site/"+client.ClientID+"/" {
				t.Errorf("client %+v, others %v", client, seen)
			}
			seen[client.ClientID] = true
		}
		w.stop(t)
	})
}

func TestArgumentsAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		c := w.lis.open(t, newSocket(-1))
		login(t, c, "d")
		pub := func(topic string, qos uint32) gateway.Result { return c.Publish(topic, qos, nil, nil) }
		sub := func(filter string, qos uint32) gateway.Result { return c.Subscribe(filter, qos, nil) }
		for _, x := range []struct {
			r    gateway.Result
			code gateway.ResultCode
		}{
			{pub("", 0), gateway.CodeRequiredParamsMiss},
			{pub("a/+", 0), gateway.CodeParamsTypeError},
			{pub("a/#", 0), gateway.CodeParamsTypeError},
			{pub("a", 3), gateway.CodeParamsTypeError},
			{pub("a", 4294967295), gateway.CodeParamsTypeError},
			{pub("a\xff", 0), gateway.CodeParamsTypeError},
			{pub(strings.Repeat("a", 65536), 0), gateway.CodeParamsTypeError},
			{sub("", 0), gateway.CodeRequiredParamsMiss},
			{sub("a", 3), gateway.CodeParamsTypeError},
			{sub("a/#/b", 0), gateway.CodeParamsTypeError},
			{sub("a+/b", 0), gateway.CodeParamsTypeError},
			{sub("$share/g", 0), gateway.CodeParamsTypeError},
			{sub("$share//t", 0), gateway.CodeParamsTypeError},
			{sub("#", 0), gateway.CodeSuccess},
			{sub("+/+/#", 2), gateway.CodeSuccess},
			{sub("$share/g/a/#", 1), gateway.CodeSuccess},
			{c.Unsubscribe("", nil), gateway.CodeRequiredParamsMiss},
			{c.Unsubscribe("never/subscribed", nil), gateway.CodeSuccess},
		} {
			if x.r.Code != x.code {
				t.Errorf("got %v, want %v", x.r, x.code)
			}
		}
		w.stop(t)
	})
}

func TestMountpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "m/${clientid}/${username}/")
		c := w.lis.open(t, newSocket(-1))
		if r := c.Authenticate(gateway.ClientInfo{ClientID: "a/#", Username: "u"}, "",
			nil); r.Code != gateway.CodeParamsTypeError {
			t.Errorf("wildcard in a mounted client id: %v", r)
		}
		if r := c.Authenticate(gateway.ClientInfo{ClientID: "a"}, "", nil); r.Code != gateway.CodeParamsTypeError {
			t.Errorf("empty mounted user name: %v", r)
		}
		login(t, c, "d")
		c.Publish("t", 0, []byte("x"), nil)
		c.Subscribe("s/#", 0, nil)
		c.Subscribe("$share/g/s", 0, nil)
		c.Unsubscribe("$share/g/s", nil)
		equal(t, "upstream", w.up.String(), "d publish m/d/u-d/t 0 x\nd subscribe m/d/u-d/s/# 0\n"+
			"d subscribe $share/g/m/d/u-d/s 0\nd unsubscribe $share/g/m/d/u-d/s")
		w.up.deliver("d", "m/d/u-d/s/1", "y", 0)
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nmessages s/1=y")
		w.stop(t)
	})
}

func TestHandlersMountpointCountsWhereTheListenerHasNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		c := w.lis.open(t, newSocket(-1))
		done := make(chan gateway.Result, 1)
		c.Authenticate(gateway.ClientInfo{ClientID: "d", Mountpoint: "own/${clientid}/"}, "",
			func(r gateway.Result) { done <- r })
		<-done
		c.Publish("t", 0, nil, nil)
		equal(t, "upstream", w.up.String(), "d publish own/d/t 0 ")
		w.stop(t)
	})
}

// Invariant 5: at the window's edge the socket is no longer read, and nothing that the device sent is lost.
func TestFullUpstreamStopsTheReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{PublishWindow: 4}, "")
		w.h.bytes = func(a gateway.ConnectionAdapter, b []byte) error { a.Publish("t", 1, b, nil); return nil }
		s := newSocket(-1)
		c := w.lis.open(t, s)
		login(t, c, "d")
		w.up.hold = true
		sent := 0
		go func() {
			for range 10 {
				s.in <- []byte("x")
				sent++
			}
		}()
		synctest.Wait()
		if sent != 4 {
			t.Errorf("%d read with a window of 4", sent)
		}
		w.up.release(1)
		synctest.Wait()
		if sent != 5 {
			t.Errorf("%d read after one result", sent)
		}
		w.up.mu.Lock()
		w.up.hold = false
		w.up.mu.Unlock()
		w.up.release(4)
		synctest.Wait()
		if sent != 10 {
			t.Errorf("%d of 10 read in the end", sent)
		}
		w.stop(t)
	})
}

func TestPublishWindowCountsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{PublishWindowBytes: 100}, "")
		c := w.lis.open(t, newSocket(-1))
		login(t, c, "d")
		w.up.hold = true
		c.Publish("t", 1, make([]byte, 99), nil)
		woken := 0
		wake := func() { woken++ }
		if !c.WhenReadable(wake) {
			t.Error("not readable at 99 of 100 bytes")
		}
		c.Publish("t", 1, make([]byte, 1), nil)
		if c.WhenReadable(wake) {
			t.Error("readable at 100 of 100 bytes")
		}
		w.up.release(1)
		synctest.Wait()
		if woken != 1 || !c.WhenReadable(wake) {
			t.Errorf("woken %d times, or not readable, at 1 of 100 bytes", woken)
		}
		w.up.release(1)
		w.stop(t)
	})
}

// Calls in flight are counted and bounded.
func TestTooManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{MaxCalls: 3}, "")
		c := w.lis.open(t, newSocket(-1))
		login(t, c, "d")
		w.up.hold = true
		for i := range 5 {
			r := c.Subscribe("t", 0, nil)
			if want := gateway.CodeSuccess; i < 3 && r.Code != want {
				t.Errorf("call %d: %v", i, r)
			}
			if want := gateway.CodeLimit; i >= 3 && r.Code != want {
				t.Errorf("call %d: %v", i, r)
			}
		}
		w.up.release(3)
		w.stop(t)
	})
}

// After the handler pauses, no bytes arrive until Resume.
func TestPauseAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(-1)
		c := w.lis.open(t, s)
		s.in <- []byte("1")
		synctest.Wait()
		c.Pause()
		go func() { s.in <- []byte("2"); s.in <- []byte("3") }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if strings.Contains(w.h.String(), "bytes 3") {
			t.Error("read while paused")
		}
		c.Resume()
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nbytes 1\nbytes 2\nbytes 3")
		c.Close(gateway.ReasonNormal)
		if r := c.Resume(); r.Code != gateway.CodeConnProcessNotAlive {
			t.Errorf("resume after close: %v", r)
		}
		w.stop(t)
	})
}
