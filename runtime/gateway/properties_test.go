package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
)

// userProperties returns n user properties.
func userProperties(n int) []gateway.Property {
	list := make([]gateway.Property, n)
	for i := range list {
		list[i] = gateway.Property{Name: fmt.Sprint("k", i), Value: "v"}
	}
	return list
}

// Properties reach the upstream, the response topic with the mountpoint, and the caller's are not changed.
func TestPublishWithProperties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "m/${clientid}/")
		c := w.lis.open(t, newSocket(-1))
		early := c.PublishWith("t", 1, nil, &gateway.Properties{Retain: true}, nil)
		if early.Code != gateway.CodePermissionDeny {
			t.Errorf("before the login: %v", early)
		}
		login(t, c, "d")
		p := &gateway.Properties{
			Retain: true, Expiry: 1<<32 - 1, ContentType: "text/plain", ResponseTopic: "r/1",
			Correlation: []byte{0, 0xff},
			User:        []gateway.Property{{Name: "a", Value: "ä"}, {Name: "a"}},
		}
		for _, r := range []gateway.Result{
			c.PublishWith("t", 1, []byte("x"), p, nil),
			c.PublishWith("t", 0, []byte("none"), nil, nil),
			c.PublishWith("t", 0, []byte("empty"), &gateway.Properties{}, nil),
			c.PublishWith("t", 0, []byte("many"), &gateway.Properties{User: userProperties(1)}, nil),
		} {
			if !r.Ok() {
				t.Error(r)
			}
		}
		synctest.Wait()
		equal(t, "upstream", w.up.String(), `d publish m/d/t 1 x retain expiry=4294967295 content_type="text/plain" `+
			`response_topic="m/d/r/1" correlation="\x00\xff" user="a"="ä" user="a"=""
d publish m/d/t 0 none
d publish m/d/t 0 empty
d publish m/d/t 0 many user="k0"="v"`)
		if p.ResponseTopic != "r/1" {
			t.Errorf("the caller's response topic became %q", p.ResponseTopic)
		}
		w.stop(t)
	})
}

// Hostile properties are refused with a named result, and nothing of them reaches the upstream.
func TestPropertiesThatAreRefused(t *testing.T) {
	long := strings.Repeat("x", gateway.MaxPropertyBytes+1)
	for name, c := range map[string]struct {
		mount string
		props gateway.Properties
		code  gateway.ResultCode
		want  string
	}{
		"too many": {
			props: gateway.Properties{User: userProperties(gateway.MaxUserProperties + 1)}, code: gateway.CodeLimit,
			want: "a message may have 64 user properties, not 65",
		},
		"too large": {
			props: gateway.Properties{Correlation: []byte(long)}, code: gateway.CodeLimit,
			want: "may have 16384 bytes in all, not 16385",
		},
		"a long name": {
			props: gateway.Properties{User: []gateway.Property{{Name: long}}}, code: gateway.CodeLimit,
			want: "may have 16384 bytes in all",
		},
		"content type": {
			props: gateway.Properties{ContentType: "\xff"}, code: gateway.CodeParamsTypeError,
			want: "must be valid UTF-8",
		},
		"name": {
			props: gateway.Properties{User: []gateway.Property{{Name: "a\x00"}}}, code: gateway.CodeParamsTypeError,
			want: "name of a user property",
		},
		"value": {
			props: gateway.Properties{User: []gateway.Property{{Name: "a", Value: "\ufffe"}}},
			code:  gateway.CodeParamsTypeError, want: "noncharacters",
		},
		"wildcard": {
			props: gateway.Properties{ResponseTopic: "a/+"}, code: gateway.CodeParamsTypeError, want: "response topic",
		},
		"wildcard below a mountpoint": {
			mount: "m/", props: gateway.Properties{ResponseTopic: "#"}, code: gateway.CodeParamsTypeError,
			want: "response topic",
		},
		"the broker's own": {
			props: gateway.Properties{ResponseTopic: "$SYS/x"}, code: gateway.CodeParamsTypeError,
			want: "reserved for the broker's own topics",
		},
		"a shared subscription": {
			props: gateway.Properties{ResponseTopic: "$share/g/t"}, code: gateway.CodeParamsTypeError,
			want: "begins with '$'",
		},
		"too long with the mountpoint": {
			mount: strings.Repeat("m", 65000) + "/", props: gateway.Properties{ResponseTopic: long[:1000]},
			code: gateway.CodeParamsTypeError, want: "response topic with the mountpoint of listener l",
		},
		"what it may not subscribe to": {
			mount: "denied/", props: gateway.Properties{ResponseTopic: "r"}, code: gateway.CodePermissionDeny,
			want: "listener l does not let this device subscribe to its response topic",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFixture(t, gateway.Limits{}, "")
				cfg := gateway.ListenerConfig{Handler: "h", Connector: "c", Mountpoint: c.mount}
				if c.code == gateway.CodePermissionDeny {
					cfg.SubscribeTopics = []string{"down/#"}
				}
				if err := w.gw.ChangeListener("l", cfg); err != nil {
					t.Fatal(err)
				}
				conn := w.lis.open(t, newSocket(-1))
				login(t, conn, "d")
				r := conn.PublishWith("t", 0, []byte("x"), &c.props, nil)
				if r.Code != c.code || !strings.Contains(r.Message, c.want) {
					t.Errorf("got %v, want %v: %s", r, c.code, c.want)
				}
				if r := conn.Publish("t", 0, []byte("after"), nil); !r.Ok() {
					t.Error(r)
				}
				synctest.Wait()
				if got := w.up.String(); strings.Count(got, "publish") != 1 || !strings.HasSuffix(got, "t 0 after") {
					t.Errorf("the upstream saw\n%.200s", got)
				}
				w.stop(t)
			})
		})
	}
}

// Received properties are checked before the handler sees them, and the mountpoint is removed from the response topic.
func TestReceivedProperties(t *testing.T) {
	for name, c := range map[string]struct {
		mount string
		props gateway.Properties
		want  string
		drop  string
	}{
		"all": {
			mount: "m/",
			props: gateway.Properties{Retain: true, Expiry: 5, ResponseTopic: "m/r", Correlation: []byte("c")},
			want:  `retain expiry=5 response_topic="r" correlation="c"`,
		},
		"none": {props: gateway.Properties{}},
		"outside the mountpoint": {
			mount: "m/", props: gateway.Properties{ResponseTopic: "n/r", Correlation: []byte("c")},
			want: `correlation="c"`, drop: "response_topic",
		},
		"the mountpoint itself": {
			mount: "m/", props: gateway.Properties{ResponseTopic: "m/", Expiry: 1}, want: "expiry=1",
			drop: "response_topic",
		},
		"the broker's own": {
			props: gateway.Properties{ResponseTopic: "$SYS/r", Expiry: 1}, want: "expiry=1", drop: "response_topic",
		},
		"a wildcard": {props: gateway.Properties{ResponseTopic: "a/#", Expiry: 1}, drop: "message_properties"},
		"too many": {
			props: gateway.Properties{Retain: true, User: userProperties(65)}, want: "retain",
			drop: "message_properties",
		},
		"invalid": {props: gateway.Properties{ContentType: "\xff"}, drop: "message_properties"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reg := prometheus.NewRegistry()
				w := newFixtureOf(t, gateway.Config{Metrics: gateway.NewMetrics(reg)}, gateway.Limits{}, c.mount)
				var got []string
				w.h.messages = func(_ gateway.ConnectionAdapter, m []gateway.Message) error {
					for i := range m {
						got = append(got, string(m[i].Payload)+" "+m[i].Properties.String())
					}
					return nil
				}
				conn := w.lis.open(t, newSocket(-1))
				login(t, conn, "d")
				given := c.props
				conn.Deliver(gateway.Message{Topic: c.mount + "t", Payload: []byte("p"), Properties: &given})
				synctest.Wait()
				equal(t, "messages", strings.Join(got, "\n"), "p "+c.want)
				if given.ResponseTopic != c.props.ResponseTopic {
					t.Errorf("the connector's response topic became %q", given.ResponseTopic)
				}
				for _, what := range []string{"response_topic", "message_properties"} {
					n := dropped(t, reg, what)
					if want := map[bool]float64{true: 1}[what == c.drop]; n != want {
						t.Errorf("%s: %v dropped", what, n)
					}
				}
				w.stop(t)
			})
		})
	}
}

// dropped returns how often what was dropped.
func dropped(t *testing.T, reg *prometheus.Registry, what string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "exgate_dropped_total" && l.GetName() == "what" && l.GetValue() == what {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

// Properties count against the inbox like the payload.
func TestPropertiesFillTheInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{InboxBytes: 1000}, "")
		wait := make(chan struct{})
		w.h.messages = func(gateway.ConnectionAdapter, []gateway.Message) error { <-wait; return nil }
		conn := w.lis.open(t, newSocket(-1))
		login(t, conn, "d")
		large := func() bool {
			p := &gateway.Properties{Correlation: make([]byte, 600)}
			return conn.Deliver(gateway.Message{Topic: "t", Properties: p})
		}
		if !large() {
			t.Error("the first does not fit")
		}
		synctest.Wait() // the handler has it
		if first, second := large(), large(); !first || second {
			t.Errorf("one more fits: %v, and another one: %v", first, second)
		}
		close(wait)
		synctest.Wait()
		w.stop(t)
	})
}
