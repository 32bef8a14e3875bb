package gateway_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/exgate/exgate/runtime/gateway"
)

// What a listener does not allow its devices to publish or subscribe to never reaches the upstream. The rules apply to
// topics with the mountpoint.
func TestTopicsOfAListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		err := w.gw.ChangeListener("l", gateway.ListenerConfig{
			Handler: "h", Connector: "c", Mountpoint: "${listener}/${module}/${clientid}/", Module: "meter",
			PublishTopics: []string{"l/meter/${clientid}/up/#"}, SubscribeTopics: []string{"l/meter/+/down/+"},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := w.lis.open(t, newSocket(-1))
		login(t, c, "d")
		denied := func(r gateway.Result) bool {
			return r.Code == gateway.CodePermissionDeny && strings.Contains(r.Message,
				"listener l does not let this device")
		}
		for name, r := range map[string]gateway.Result{
			"publish beside":         c.Publish("down/x", 0, nil, nil),
			"subscribe above":        c.Subscribe("#", 0, nil),
			"subscribe deeper":       c.Subscribe("down/a/b", 0, nil),
			"subscribe above shared": c.Subscribe("$share/g/+/x", 0, nil),
		} {
			if !denied(r) {
				t.Errorf("%s: %v", name, r)
			}
		}
		for name, r := range map[string]gateway.Result{
			"publish":          c.Publish("up/a/b", 0, []byte("x"), nil),
			"subscribe":        c.Subscribe("down/+", 0, nil),
			"subscribe shared": c.Subscribe("$share/g/down/y", 0, nil),
			"unsubscribe":      c.Unsubscribe("anything", nil),
		} {
			if !r.Ok() {
				t.Errorf("%s: %v", name, r)
			}
		}
		synctest.Wait()
		got := w.up.String()
		for _, line := range []string{
			"l/meter/d/up/a/b", "l/meter/d/down/+", "$share/g/l/meter/d/down/y",
			"l/meter/d/anything",
		} {
			if !strings.Contains(got, line) {
				t.Errorf("the upstream did not see %s:\n%s", line, got)
			}
		}
		if strings.Contains(got, "down/x") {
			t.Errorf("the upstream saw what is denied:\n%s", got)
		}
		w.stop(t)
	})
}

func TestTopicsOfAListenerAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		for want, cfg := range map[string]gateway.ListenerConfig{
			"PublishTopics: ${x} is neither": {Handler: "h", Connector: "c", PublishTopics: []string{"${x}"}},
			"SubscribeTopics: \"a/#/b\"":     {Handler: "h", Connector: "c", SubscribeTopics: []string{"a/#/b"}},
		} {
			if err := w.gw.ChangeListener("l", cfg); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", want, err)
			}
			if err := w.gw.AddListener("other", newTestListener(), cfg); err == nil || !strings.Contains(err.Error(),
				want) {
				t.Errorf("%s: %v", want, err)
			}
		}
		w.stop(t)
	})
}
