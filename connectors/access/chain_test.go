package access_test

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// fixed answers each login the same.
type fixed struct {
	access.Answer
	err error
}

func (f fixed) Authenticate(context.Context, gateway.Device, string) (access.Answer, error) {
	return f.Answer, f.err
}

func TestChain(t *testing.T) {
	ignore := fixed{Answer: access.Answer{Reason: "unknown"}}
	deny := fixed{Answer: access.Answer{Decision: access.Deny, Reason: "wrong"}}
	down := errors.New("down")
	failing := fixed{err: down}
	for name, c := range map[string]struct {
		chain  access.Chain
		want   access.Decision
		reason string
		fails  string
		last   bool // the last of the chain is asked
	}{
		"empty": {nil, access.Deny, "no authenticator knows the client", "", false},
		"nobody": {
			access.Chain{{"a", ignore}}, access.Deny, "no authenticator knows the client", "", true,
		},
		"first answer": {
			access.Chain{{"a", deny}, {"b", access.Everybody()}}, access.Deny, "a: wrong", "", false,
		},
		"next": {access.Chain{{"a", ignore}, {"b", access.Everybody()}}, access.Allow, "", "", true},
		"error": {
			access.Chain{{"a", failing}, {"b", access.Everybody()}},
			access.Ignore, "", "authenticating with a: down",
			false,
		},
		"error after ignore": {
			access.Chain{{"a", ignore}, {"b", failing}}, access.Ignore, "", "authenticating with b: down", true,
		},
	} {
		asked := 0
		if n := len(c.chain); n > 0 {
			c.chain[n-1].Authenticator = counting{c.chain[n-1].Authenticator, &asked}
		}
		answer, err := c.chain.Authenticate(t.Context(), device("c", "u"), "p")
		if answer.Decision != c.want || answer.Reason != c.reason || (asked > 0) != c.last {
			t.Errorf("%s: %v, last asked %d times", name, answer, asked)
		}
		if c.fails == "" && err != nil || c.fails != "" && (!errors.Is(err, down) || err.Error() != c.fails) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// counting counts the calls of an authenticator.
type counting struct {
	access.Authenticator
	asked *int
}

func (c counting) Authenticate(ctx context.Context, device gateway.Device, password string) (access.Answer, error) {
	*c.asked++
	return c.Authenticator.Authenticate(ctx, device, password)
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := access.NewMetrics(reg)
	for _, a := range []fixed{
		{},
		{Answer: access.Answer{Decision: access.Deny}},
		{Answer: access.Answer{Decision: access.Allow}},
		{err: errors.New("down")},
	} {
		_, _ = m.Measure("http", a).Authenticate(t.Context(), gateway.Device{}, "")
	}
	for _, result := range []string{"ignore", "deny", "allow", "error"} {
		if n := gatewaytest.Metric(t, reg, "exgate_auth_total", "http", result); n != 1 {
			t.Errorf("%s: %v", result, n)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "exgate_auth_seconds" && f.GetMetric()[0].GetHistogram().GetSampleCount() == 4 {
			return
		}
	}
	t.Error("the times are not measured")
}

func TestAnswerAllows(t *testing.T) {
	rules := load(t, "rules: [{permission: allow, action: publish, topics: [a]}]\n")
	none := load(t, "rules: []\n")
	other := load(t, "anonymous: true\nrules: [{permission: allow, action: publish, topics: [b]}]\n")
	given, err := other.Authenticate(t.Context(), gateway.Device{}, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answer    access.Answer
		otherwise access.ACL
		a, b      bool
	}{
		"nothing is said": {access.Answer{}, nil, true, true},
		"others say":      {access.Answer{}, rules, true, false},
		"the answer says": {given, rules, false, true},
		"superuser":       {access.Answer{Superuser: true, Rules: given.Rules}, none, true, true},
	} {
		for topic, want := range map[string]bool{"a": c.a, "b": c.b} {
			if got := c.answer.Allows(device("c", ""), access.Publish, topic, c.otherwise); got != want {
				t.Errorf("%s: %s: %v", name, topic, got)
			}
		}
	}
}
