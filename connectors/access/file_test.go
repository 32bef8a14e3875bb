package access_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/exgate/exgate/connectors/access"
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

func load(t testing.TB, text string) *access.File {
	t.Helper()
	f, err := access.LoadFile(writeFile(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func device(clientID, username string) gateway.Device {
	return gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: clientID, Username: username}}
}

func decide(t testing.TB, a access.Authenticator, username, password string) access.Decision {
	t.Helper()
	answer, err := a.Authenticate(t.Context(), device("c", username), password)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Decision
}

func TestFileUsers(t *testing.T) {
	f := load(t, fmt.Sprintf("users:\n  - {username: alice, password: %q}\n", hashed(t, "wonder")))
	for _, c := range []struct {
		username, password string
		want               access.Decision
	}{
		{"alice", "wonder", access.Allow},
		{"alice", "wonder", access.Allow},
		{"alice", "other", access.Deny},
		{"alice", "", access.Deny},
		{"bob", "wonder", access.Ignore},
		{"", "", access.Ignore},
		{"", "wonder", access.Ignore},
		{"alice", strings.Repeat("x", 100), access.Deny},
	} {
		if got := decide(t, f, c.username, c.password); got != c.want {
			t.Errorf("%q with %q: %v", c.username, c.password, got)
		}
	}
	if !f.Allows(gateway.Device{}, access.Publish, "anything") {
		t.Error("a file without rules denies")
	}
	if f := load(t, "anonymous: true\n"); decide(t, f, "", "") != access.Allow {
		t.Error("anonymous is refused")
	}
}

func TestFileRules(t *testing.T) {
	f := load(t, `
anonymous: true
rules:
  - {permission: deny, action: all, topics: ["secret/#"]}
  - {permission: allow, action: all, username: root, topics: ["#"]}
  - {permission: allow, action: publish, topics: ["up/${clientid}/#", "state/${username}"]}
  - {permission: allow, action: subscribe, topics: ["down/${clientid}/+", "prefix-${clientid}"]}
  - {permission: allow, action: subscribe, clientid: special, topics: [all/+]}
`)
	d1 := gateway.ClientInfo{ClientID: "d1", Username: "u1"}
	for _, c := range []struct {
		client gateway.ClientInfo
		action access.Action
		topic  string
		want   bool
	}{
		{d1, access.Publish, "up/d1", true},
		{d1, access.Publish, "up/d1/x/y", true},
		{d1, access.Publish, "up/d2/x", false},
		{d1, access.Subscribe, "up/d1/x", false},
		{d1, access.Publish, "state/u1", true},
		{d1, access.Publish, "state/u2", false},
		{d1, access.Subscribe, "down/d1/a", true},
		{d1, access.Subscribe, "down/d1/+", true},
		{d1, access.Subscribe, "down/d1/#", false},
		{d1, access.Subscribe, "down/+/a", false},
		{d1, access.Subscribe, "down/d1", false},
		{d1, access.Subscribe, "prefix-d1", true},
		{d1, access.Subscribe, "#", false},
		{d1, access.Subscribe, "all/x", false},
		{gateway.ClientInfo{ClientID: "special"}, access.Subscribe, "all/+", true},
		{gateway.ClientInfo{ClientID: "special"}, access.Subscribe, "all/#", false},
		{gateway.ClientInfo{ClientID: "c", Username: "root"}, access.Subscribe, "#", true},
		{gateway.ClientInfo{ClientID: "c", Username: "root"}, access.Subscribe, "$SYS/#", false},
		{gateway.ClientInfo{ClientID: "c", Username: "root"}, access.Subscribe, "secret/x", false},
		{gateway.ClientInfo{ClientID: "c", Username: "root"}, access.Publish, "secret", false},
		// Names chosen to widen a rule.
		{gateway.ClientInfo{ClientID: "+"}, access.Subscribe, "down/+/a", false},
		{gateway.ClientInfo{ClientID: "#"}, access.Publish, "up/d1/x", false},
		{gateway.ClientInfo{ClientID: "a/b"}, access.Publish, "up/a/b/x", false},
		{gateway.ClientInfo{ClientID: "c"}, access.Publish, "state/", false},
		{gateway.ClientInfo{ClientID: "${username}", Username: "u"}, access.Publish, "up/u/x", false},
	} {
		if got := f.Allows(gateway.Device{ClientInfo: c.client}, c.action, c.topic); got != c.want {
			t.Errorf("%+v, action %d, %q: %v", c.client, c.action, c.topic, got)
		}
	}
}

func TestFileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                             ":1: the file is empty",
		"users: 3":                     ":1: want a list",
		"usres: []":                    `:1: unknown key "usres"`,
		"anonymous: true\n\tusers: []": "line 2",
		"users:\n - username: a":       ":2: a user needs username and password",
		"users:\n" +
			" - {username: a, password: plain}": ":2: password is neither a bcrypt nor an argon2id hash",
		"users:\n - {user: a}":             `:2: unknown key "user"`,
		"anonymous: maybe":                 ":1: the value has the wrong type",
		"anonymous: true\nanonymous: true": "anonymous appears twice",
		"rules:\n" +
			" - {permission: maybe, action: all, topics: [a]}": `:2: "maybe" must be one of allow, deny`,
		"rules:\n" +
			" - {permission: deny, action: read, topics: [a]}": `:2: "read" must be one of publish, subscribe, all`,
		"rules:\n" +
			" - {permission: deny, action: all}": ":2: a rule needs permission, action and topics",
		"rules:\n - permission: deny\n   action: all\n   topics:\n     - a/#/b": `:5: "a/#/b"`,
		"rules:\n" +
			" - {permission: deny, action: all, topics: ['a/${clientId}']}": ":2: ${clientId} is neither " +
			"${clientid}, ${username}, ${listener} nor ${module}",
		"rules:\n - {permission: deny, action: all, topics: ['$share/g/${user}']}": ":2: ${user} is neither",
		"rules:\n" +
			" - {permission: deny, action: all, topics: ['$share/g/a']}": ":2: \"$share/g/a\": " +
			"name the filter without $share/GROUP/",
		"users:\n" +
			" - {username: a, password: *plain}": "a value that begins with * needs quotes",
		"users:\n" +
			" - {username: a, superuser: maybe}": ":2: the value has the wrong type",
		"users:\n" +
			" - {username: a, password: [plain]}": ":2: the value has the wrong type",
		"[]": ":1: want anonymous, rules, users",
	} {
		path := writeFile(t, text)
		_, err := access.LoadFile(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) ||
			strings.Contains(err.Error(), "plain") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := access.LoadFile("/missing/auth.yaml"); err == nil ||
		!strings.Contains(err.Error(), "/missing/auth.yaml") {
		t.Error(err)
	}
	twice := fmt.Sprintf("users:\n - {username: a, password: %q}\n", hashed(t, "x"))
	if _, err := access.LoadFile(writeFile(t, twice+strings.TrimPrefix(twice, "users:\n"))); err == nil ||
		!strings.Contains(err.Error(), `:3: user "a" appears twice`) {
		t.Error(err)
	}
}

func TestSuperuser(t *testing.T) {
	f := load(t, fmt.Sprintf("users: [{username: root, password: %q, superuser: true}]\nrules: []\n", hashed(t, "x")))
	answer, err := f.Authenticate(t.Context(), device("c", "root"), "x")
	if err != nil || !answer.Superuser {
		t.Fatal(answer, err)
	}
	if !f.Allows(device("c", "root"), access.Publish, "t") || f.Allows(device("c", "other"), access.Publish, "t") {
		t.Error("rules apply to superusers, or to nobody")
	}
}

// A file of short values would take the parser a hundred times its own size.
func TestFileOfTooManyValues(t *testing.T) {
	for _, text := range []string{
		"users: [" + strings.Repeat("x,", 3_500_000) + "]",
		strings.Repeat("x: y\n", 3_500_001), strings.Repeat("- ", 3_500_001),
	} {
		if _, err := access.LoadFile(writeFile(t, text)); err == nil ||
			!strings.Contains(err.Error(), "more than 3500000 values") {
			t.Error(err)
		}
	}
}
