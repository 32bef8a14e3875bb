package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/internal/lograte"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// logged is a fixture and its log at the default level.
func logged(t *testing.T, mountpoint string) (*fixture, *gatewaytest.Log) {
	t.Helper()
	log := new(gatewaytest.Log)
	h := newFixtureOf(t, gateway.Config{Logger: slog.New(slog.NewTextHandler(log, nil))}, gateway.Limits{}, mountpoint)
	return h, log
}

// lines returns the lines of the log that contain all words.
func lines(log *gatewaytest.Log, words ...string) []string {
	var found []string
next:
	for line := range strings.SplitSeq(strings.TrimSpace(log.String()), "\n") {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

func TestRefusalsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log := logged(t, "")
		if err := h.gw.ChangeListener("l", gateway.ListenerConfig{
			Handler: "h", Connector: "c",
			PublishTopics: []string{"ok/#"}, SubscribeTopics: []string{"ok/#"},
		}); err != nil {
			t.Fatal(err)
		}
		c := h.lis.open(t, newSocket(-1))
		c.Authenticate(gateway.ClientInfo{ClientID: "meter-1", Username: "u"}, "wrong", nil)
		synctest.Wait()
		if got := lines(log, `msg="login refused"`, "listener=l", "client_id=meter-1", "username=u",
			"peer=192.0.2.1:4000", "result=PERMISSION_DENY", `cause="bad password"`); len(got) != 1 {
			t.Errorf("login: %v", log)
		}
		login(t, c, "meter-1")
		c.Publish("bad/topic", 0, nil, nil)
		c.Subscribe("bad/+", 0, nil)
		c.Publish("bad/+", 0, nil, nil)
		synctest.Wait()
		for _, words := range [][]string{
			{`msg="publish refused"`, "topic=bad/topic", "result=PERMISSION_DENY", "does not let this device publish"},
			{`msg="subscribe refused"`, "topic=bad/+", "result=PERMISSION_DENY"},
			{`msg="publish refused"`, "topic=bad/+", "result=PARAMS_TYPE_ERROR"},
		} {
			if got := lines(log, append(words, "listener=l", "client_id=meter-1", "peer=192.0.2.1:4000",
				"level=WARN")...); len(got) != 1 {
				t.Errorf("%v: %v", words, log)
			}
		}
		h.stop(t)
	})
}

// One device that is refused again and again hides neither another device nor another cause, and the log says how many
// lines were suppressed.
func TestRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log := logged(t, "")
		if err := h.gw.ChangeListener("l", gateway.ListenerConfig{
			Handler: "h", Connector: "c",
			PublishTopics: []string{"ok/#"}, SubscribeTopics: []string{"ok/#"},
		}); err != nil {
			t.Fatal(err)
		}
		noisy, quiet := h.lis.open(t, newSocket(-1)), h.lis.open(t, newSocket(-1))
		login(t, noisy, "noisy")
		login(t, quiet, "quiet")
		for i := range 1000 {
			noisy.Publish(fmt.Sprint("bad/", i), 0, nil, nil)
		}
		noisy.Subscribe("bad/#", 0, nil)
		noisy.Publish(strings.Repeat("x", 70_000), 0, nil, nil)
		noisy.Publish("a\\\"b", 0, nil, nil) // as quotes in a cause
		quiet.Publish("bad/q", 0, nil, nil)
		if got := lines(log, "publish refused", "result=PERMISSION_DENY"); len(got) != 2 || !strings.Contains(got[1],
			"client_id=quiet") || !strings.Contains(got[1], "suppressed=1000") {
			t.Errorf("%v", got)
		}
		if got := lines(log, "subscribe refused", "client_id=noisy"); len(got) != 1 {
			t.Errorf("%v", got)
		}
		time.Sleep(lograte.Interval)
		noisy.Publish("bad/again", 0, nil, nil)
		if got := lines(log, "publish refused", "client_id=noisy", "topic=bad/again"); len(got) != 1 {
			t.Errorf("%v", log)
		}
		h.stop(t)
	})
}

// Text of devices can neither forge log lines nor make a line long.
func TestLogLinesAreOfOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log := logged(t, "")
		c := h.lis.open(t, newSocket(-1))
		h.up.connect = func(context.Context, gateway.ClientInfo) error {
			return &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny,
				"no\nlevel=ERROR msg=forged")}
		}
		c.Authenticate(gateway.ClientInfo{ClientID: "a\nlevel=ERROR msg=forged" + strings.Repeat("x", 60_000)}, "", nil)
		synctest.Wait()
		for _, line := range lines(log) {
			if strings.HasPrefix(line, "level=ERROR") || len(line) > 1200 {
				t.Errorf("a line of %d bytes: %.300s", len(line), line)
			}
		}
		h.stop(t)
	})
}

func TestClosedLinesNameTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log := logged(t, "")
		h.h.bytes = func(gateway.ConnectionAdapter, []byte) error { return errors.New("it broke") }
		in, out := newSocket(-1), newSocket(-1)
		a, b := h.lis.open(t, in), h.lis.open(t, out)
		login(t, a, "in")
		b.Authenticate(gateway.ClientInfo{ClientID: "out"}, "wrong", nil)
		synctest.Wait()
		in.in <- []byte("x")
		out.in <- []byte("x")
		synctest.Wait()
		for _, id := range []string{"in", "out"} {
			if got := lines(log, `msg="connection closed"`, "client_id="+id, "listener=l", "peer=192.0.2.1:4000",
				"reason=handler_failed"); len(got) != 1 {
				t.Errorf("%s: %v", id, log)
			}
		}
		h.stop(t)
	})
}
