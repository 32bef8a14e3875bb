package access_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/exgate/exgate/connectors/access"
)

func TestRulesOfEMQX(t *testing.T) {
	const publish, subscribe = access.Publish, access.Subscribe
	for _, c := range []struct {
		text, topic string
		action      access.Action
		want        bool
	}{
		{`[{"permission":"allow","action":"publish","topic":"t/${clientid}/#"}]`, "t/c/x", publish, true},
		{`[{"permission":"allow","action":"publish","topic":"t/${clientid}/#"}]`, "t/c/x", subscribe, false},
		{`[{"permission":"allow","action":"publish","topic":"t/${clientid}/#"}]`, "t/d/x", publish, false},
		{`[{"permission":"allow","action":"all","topics":["a","b"]}]`, "b", subscribe, true},
		{
			`[{"permission":"deny","action":"subscribe","topic":"a"},` +
				`{"permission":"allow","action":"all","topic":"#"}]`,
			"a", subscribe, false,
		},
		{
			`[{"permission":"deny","action":"subscribe","topic":"a"},` +
				`{"permission":"allow","action":"all","topic":"#"}]`,
			"a", publish, true,
		},
		{`[{"permission":"allow","action":"publish","topic":"a"}]`, "a", access.PublishRetained, true},
		{`[{"permission":"allow","action":"publish","topic":"a","retain":"all"}]`, "a", access.PublishRetained, true},
		{`[{"permission":"allow","action":"publish","topic":"a","retain":false}]`, "a", access.PublishRetained, false},
		{`[{"permission":"allow","action":"publish","topic":"a","retain":0}]`, "a", publish, true},
		{`[{"permission":"allow","action":"all","topic":"a","retain":true}]`, "a", publish, false},
		{`[{"permission":"allow","action":"all","topic":"a","retain":1}]`, "a", access.PublishRetained, true},
		{`[{"permission":"allow","action":"all","topic":"a","retain":true}]`, "a", subscribe, true},
		{`{"pub":["a"]}`, "a", access.PublishRetained, true},
		{`[]`, "a", publish, false},
		{` {"pub":["up/%c","state/${username}"],"sub":["down/%u"],"all":["both"]} `, "up/c", publish, true},
		{`{"pub":["up/%c"]}`, "up/c", subscribe, false},
		{`{"pub":["up/%cx"]}`, "up/cx", publish, false},
		{`{"sub":["down/%u"]}`, "down/u", subscribe, true},
		{`{"all":["both"]}`, "both", publish, true},
		{`{}`, "a", publish, false},
	} {
		rules, err := access.ParseRules([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := rules.Allows(device("c", "u"), c.action, c.topic); got != c.want {
			t.Errorf("%s, %q: %v", c.text, c.topic, got)
		}
	}
}

func TestRulesThatAreWrong(t *testing.T) {
	many := strings.Repeat(`"t",`, 1024) + `"t"`
	for text, want := range map[string]string{
		``:                                "want a list of rules, or pub, sub and all",
		`"all"`:                           "want a list of rules",
		`null`:                            "want a list of rules",
		`[1]`:                             "want a list of rules",
		`[{"permission":"allow"}]`:        "rule 1: a rule needs permission, action and topic",
		`[{"permission":"maybe"}]`:        "rule 1: reading permission: permission must be one of allow, deny",
		`[{"action":"read"}]`:             "action must be one of publish, subscribe, all",
		`[{"action":1}]`:                  "action must be one of",
		`[{"topic":1}]`:                   "reading topic",
		`[{"topics":"a"}]`:                "reading topics",
		`[{"retain":true}]`:               "a rule needs permission, action and topic",
		`[{"retain":2}]`:                  "reading retain: want true, false or all",
		`[{"Permission":"allow"}]`:        `unknown key "Permission"`,
		`{"pub":"a"}`:                     "want pub, sub and all, each a list of topics",
		`{"publish":["a"]}`:               `unknown key "publish": want pub, sub, all`,
		`{"pub":["a/#/b"]}`:               `pub: topic "a/#/b"`,
		`{"pub":["${cert_common_name}"]}`: "${cert_common_name} is neither",
		`{"pub":[` + many + `]}`:          "more than 1024 topics",
		`[{"permission":"allow","action":"all","topic":"eq a/#"}]`:        "the prefix eq is not supported",
		`[{"permission":"allow","action":"all","topic":"$share/g/a"}]`:    "without $share/GROUP/",
		`[{"permission":"allow","action":"all","topics":[` + many + `]}]`: "more than 1024 topics",
	} {
		if _, err := access.ParseRules([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add("anonymous: true\nusers:\n" +
		" - {username: a, password: $2a$04$abcdefghijklmnopqrstuuE5H0Eg0HVFnGLoiLRiPtzcOGK8S6O4a}\n")
	f.Add("users: [{username: a, password: '" + argon("p", 64, 1, 1) + "', superuser: true}]\n")
	f.Add("rules:\n - {permission: allow, action: all, topics: ['a/${clientid}/#']}\n")
	f.Add("users: &a [*a]\n")
	f.Add("a: !!binary x\n? [b]\n: c\n")
	f.Fuzz(func(t *testing.T, text string) {
		if err := access.ParseFile([]byte(text)); err != nil && !strings.HasPrefix(err.Error(), "auth.yaml") {
			t.Error(err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(`{"result":"allow","is_superuser":false,"expire_at":32503680000,` +
		`"acl":[{"permission":"allow","action":"publish","topic":"t/${clientid}/#"}]}`)
	f.Add(`{"result":"deny"}`)
	f.Add(`{"result":"allow","result":"deny"}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		answer, err := access.ParseAnswer([]byte(text))
		if err != nil && answer.Decision != access.Ignore {
			t.Errorf("%v with an error", answer)
		}
		if answer.Decision != access.Allow && (answer.Superuser || answer.Rules != nil) {
			t.Errorf("%v may do something", answer)
		}
	})
}

func FuzzRules(f *testing.F) {
	f.Add(`[{"permission":"allow","action":"publish","topic":"t/${clientid}/#"}]`)
	f.Add(`[{"permission":"deny","action":"all","topics":["a","+/b"]}]`)
	f.Add(`{"pub":["a/%c"],"sub":["#"],"all":["%u"]}`)
	f.Add(fmt.Sprintf(`{"pub":[%s]}`, strings.Repeat(`"t",`, 10)+`"t"`))
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := access.ParseRules([]byte(text))
		if (rules == nil) != (err != nil) {
			t.Fatal(rules, err)
		}
		if err == nil && !strings.Contains(text, "llow") && !strings.Contains(text, "{") &&
			rules.Allows(device("c", "u"), access.Publish, "t") {
			t.Error("allowed without a rule")
		}
	})
}

func FuzzJWKS(f *testing.F) {
	f.Add(jwks(f, "one", keys().rsa.Public()))
	f.Add(jwks(f, "two", keys().p256.Public()))
	f.Add(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := access.ParseJWKS([]byte(text))
		if (len(keys) == 0) != (err != nil) {
			t.Error(keys, err)
		}
	})
}

// A device whose client id does not fit a level gets nothing from a rule that allows, and does not escape one that
// denies.
func TestRulesWithOddClientIDs(t *testing.T) {
	rules, err := access.ParseRules([]byte(`[{"permission":"deny","action":"all","topic":"t/${clientid}/secret"},
		{"permission":"allow","action":"all","topic":"own/${clientid}/#"},
		{"permission":"allow","action":"all","topic":"t/#"},
		{"permission":"allow","action":"all","topic":"${clientid}/#"}]`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id, topic string
		want      bool
	}{
		{"a", "t/a/secret", false},
		{"a", "t/b/secret", true},
		{"a/b", "t/a/b/secret", false},
		{"a/b", "t/a/secret", true},
		{"+", "t/a/secret", false},
		{"a", "own/a/x", true},
		{"a/b", "own/a/b/x", false},
		{"+", "own/a/x", false},
		{"$share", "own/$share/x", true},
		{"$share", "$share/x", false},
		{"$SYS", "$SYS/x", false},
	} {
		if got := rules.Allows(device(c.id, "u"), access.Publish, c.topic); got != c.want {
			t.Errorf("%q, %q: %v", c.id, c.topic, got)
		}
	}
}
