package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway"
)

func hashed(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func writeFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, text string) *embedded.AuthFile {
	t.Helper()
	f, err := embedded.LoadAuthFile(writeFile(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAuthFileUsers(t *testing.T) {
	f := load(t, fmt.Sprintf("users:\n  - {username: alice, password: %q}\n", hashed(t, "wonder")))
	for _, c := range []struct {
		username, password string
		want               bool
	}{
		{"alice", "wonder", true},
		{"alice", "wonder", true},
		{"alice", "other", false},
		{"alice", "", false},
		{"bob", "wonder", false},
		{"", "", false},
		{"", "wonder", false},
		{"alice", strings.Repeat("x", 100), false},
	} {
		if got := f.Authenticate(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "c", Username: c.username}}, c.password); got != c.want {
			t.Errorf("%q with %q: %v", c.username, c.password, got)
		}
	}
	if !f.Allows(gateway.Device{}, embedded.Publish, "anything") {
		t.Error("a file without rules denies")
	}
	if f := load(t, "anonymous: true\n"); !f.Authenticate(t.Context(), gateway.Device{}, "") {
		t.Error("anonymous is refused")
	}
}

func TestAuthFileRules(t *testing.T) {
	f := load(t, `
anonymous: true
rules:
  - {permission: deny, action: all, topics: ["secret/#"]}
  - {permission: allow, action: all, username: root, topics: ["#"]}
  - {permission: allow, action: publish, topics: ["up/${clientid}/#", "state/${username}"]}
  - {permission: allow, action: subscribe, topics: ["down/${clientid}/+", "prefix-${clientid}"]}
  - {permission: allow, action: subscribe, clientid: special, topics: [all/+]}
`)
	device := gateway.ClientInfo{ClientID: "d1", Username: "u1"}
	for _, c := range []struct {
		client gateway.ClientInfo
		action embedded.Action
		topic  string
		want   bool
	}{
		{device, embedded.Publish, "up/d1", true},
		{device, embedded.Publish, "up/d1/x/y", true},
		{device, embedded.Publish, "up/d2/x", false},
		{device, embedded.Subscribe, "up/d1/x", false},
		{device, embedded.Publish, "state/u1", true},
		{device, embedded.Publish, "state/u2", false},
		{device, embedded.Subscribe, "down/d1/a", true},
		{device, embedded.Subscribe, "down/d1/+", true},
		{device, embedded.Subscribe, "down/d1/#", false},
		{device, embedded.Subscribe, "down/+/a", false},
		{device, embedded.Subscribe, "down/d1", false},
		{device, embedded.Subscribe, "prefix-d1", true},
		{device, embedded.Subscribe, "#", false},
		{device, embedded.Subscribe, "all/x", false},
		{gateway.ClientInfo{ClientID: "special"}, embedded.Subscribe, "all/+", true},
		{gateway.ClientInfo{ClientID: "special"}, embedded.Subscribe, "all/#", false},
		{gateway.ClientInfo{ClientID: "c", Username: "root"}, embedded.Subscribe, "#", true},
		{gateway.ClientInfo{ClientID: "c", Username: "root"}, embedded.Subscribe, "$SYS/#", false},
		{gateway.ClientInfo{ClientID: "c", Username: "root"}, embedded.Subscribe, "secret/x", false},
		{gateway.ClientInfo{ClientID: "c", Username: "root"}, embedded.Publish, "secret", false},
		// Names chosen to widen a rule.
		{gateway.ClientInfo{ClientID: "+"}, embedded.Subscribe, "down/+/a", false},
		{gateway.ClientInfo{ClientID: "#"}, embedded.Publish, "up/d1/x", false},
		{gateway.ClientInfo{ClientID: "a/b"}, embedded.Publish, "up/a/b/x", false},
		{gateway.ClientInfo{ClientID: "c"}, embedded.Publish, "state/", false},
		{gateway.ClientInfo{ClientID: "${username}", Username: "u"}, embedded.Publish, "up/u/x", false},
	} {
		if got := f.Allows(gateway.Device{ClientInfo: c.client}, c.action, c.topic); got != c.want {
			t.Errorf("%+v, action %d, %q: %v", c.client, c.action, c.topic, got)
		}
	}
}

func TestAuthFileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                             ":1: the file is empty",
		"users: 3":                     ":1: want a list",
		"usres: []":                    `:1: unknown key "usres"`,
		"anonymous: true\n\tusers: []": "line 2",
		"users:\n - username: a":       ":2: a user needs username and password",
		"users:\n - {username: a, password: plain}":                                ":2: password is not a bcrypt hash",
		"users:\n - {user: a}":                                                     `:2: unknown key "user"`,
		"anonymous: maybe":                                                         ":1: the value is of the wrong kind",
		"anonymous: true\nanonymous: true":                                         "anonymous is there twice",
		"rules:\n - {permission: maybe, action: all, topics: [a]}":                 `:2: "maybe" is none of allow, deny`,
		"rules:\n - {permission: deny, action: read, topics: [a]}":                 `:2: "read" is none of publish, subscribe, all`,
		"rules:\n - {permission: deny, action: all}":                               ":2: a rule needs permission, action and topics",
		"rules:\n - permission: deny\n   action: all\n   topics:\n     - a/#/b":    `:5: "a/#/b"`,
		"rules:\n - {permission: deny, action: all, topics: ['a/${clientId}']}":    ":2: ${clientId} is neither ${clientid}, ${username}, ${listener} nor ${module}",
		"rules:\n - {permission: deny, action: all, topics: ['$share/g/${user}']}": ":2: ${user} is neither",
		"rules:\n - {permission: deny, action: all, topics: ['$share/g/a']}":       ":2: \"$share/g/a\": name the filter without $share/GROUP/",
		"[]": ":1: want anonymous, rules, users",
	} {
		path := writeFile(t, text)
		_, err := embedded.LoadAuthFile(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "plain") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := embedded.New(embedded.Config{AuthFile: "/missing/auth.yaml"}); err == nil || !strings.Contains(err.Error(), "/missing/auth.yaml") {
		t.Error(err)
	}
	twice := fmt.Sprintf("users:\n - {username: a, password: %q}\n", hashed(t, "x"))
	if _, err := embedded.LoadAuthFile(writeFile(t, twice+strings.TrimPrefix(twice, "users:\n"))); err == nil || !strings.Contains(err.Error(), `:3: user "a" is there twice`) {
		t.Error(err)
	}
}

// TestAuthFileOverNetwork runs the file's users and rules for MQTT clients.
func TestAuthFileOverNetwork(t *testing.T) {
	b := start(t, embedded.Config{Bind: "127.0.0.1:0", AuthFile: writeFile(t, fmt.Sprintf(`
users:
  - {username: meter, password: %q}
rules:
  - {permission: allow, action: publish, username: meter, topics: ["up/${clientid}"]}
`, hashed(t, "secret")))})
	for _, c := range []struct {
		password, topic string
		ok              bool
	}{{"secret", "up/m1", true}, {"secret", "up/m2", false}, {"wrong", "up/m1", false}} {
		out, err := client(t, b, "mosquitto_pub", "-V", "5", "-q", "1", "-i", "m1", "-u", "meter", "-P", c.password, "-t", c.topic, "-m", "x")
		denied := err != nil || strings.Contains(out, "ailed") || strings.Contains(strings.ToLower(out), "not authori")
		if denied == c.ok {
			t.Errorf("%+v: %v: %s", c, err, out)
		}
	}
}
