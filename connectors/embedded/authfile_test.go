package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway"
)

func writeAuthFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func loadAuthFile(t testing.TB, path string) *access.File {
	t.Helper()
	file, err := access.LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAuthFileOverNetwork runs the file's users and rules for MQTT clients.
func TestAuthFileOverNetwork(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := loadAuthFile(t, writeAuthFile(t, fmt.Sprintf(`
users:
  - {username: meter, password: %q}
rules:
  - {permission: allow, action: publish, username: meter, topics: ["up/${clientid}"]}
`, hash)))
	b := start(t, embedded.Config{Listener: listen(t), Authenticator: file, ACL: file})
	for _, c := range []struct {
		password, topic string
		ok              bool
	}{{"secret", "up/m1", true}, {"secret", "up/m2", false}, {"wrong", "up/m1", false}} {
		out, err := client(t, b, "mosquitto_pub", "-V", "5", "-q", "1", "-i", "m1", "-u", "meter", "-P", c.password,
			"-t", c.topic, "-m", "x")
		denied := err != nil || strings.Contains(out, "ailed") || strings.Contains(strings.ToLower(out), "not authori")
		if denied == c.ok {
			t.Errorf("%+v: %v: %s", c, err, out)
		}
	}
}

// TestRetainedPublishesByRule lets a client publish, but not retained, or only retained, over the network and as a
// device.
func TestRetainedPublishesByRule(t *testing.T) {
	file := loadAuthFile(t, writeAuthFile(t, `
anonymous: true
rules:
  - {permission: allow, action: publish, topics: ["plain/#"], retain: false}
  - {permission: allow, action: publish, topics: ["kept/#"], retain: true}
  - {permission: allow, action: subscribe, topics: ["answers/#"]}
`))
	b := start(t, embedded.Config{Listener: listen(t), Authenticator: file, ACL: file})
	device, err := b.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "d"}}, "",
		connectortest.NewDevice())
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	for topic, mayRetain := range map[string]bool{"plain/a": false, "kept/a": true} {
		for _, retain := range []bool{false, true} {
			r := connectortest.PublishWith(t, device, topic, 0, "x", &gateway.Properties{Retain: retain})
			if r.Ok() != (retain == mayRetain) || (!r.Ok() && r.Code != gateway.CodePermissionDeny) {
				t.Errorf("device, %s, retain %v: %v", topic, retain, r)
			}
			args := []string{"-V", "5", "-q", "1", "-i", "m1", "-t", topic, "-m", "x"}
			if retain {
				args = append(args, "-r")
			}
			out, err := client(t, b, "mosquitto_pub", args...)
			denied := err != nil || strings.Contains(strings.ToLower(out), "not authori")
			if denied == (retain == mayRetain) {
				t.Errorf("network, %s, retain %v: %v: %s", topic, retain, err, out)
			}
		}
	}
	for response, ok := range map[string]bool{"answers/1": true, "plain/1": false} {
		r := connectortest.PublishWith(t, device, "plain/a", 0, "x", &gateway.Properties{ResponseTopic: response})
		if r.Ok() != ok {
			t.Errorf("response topic %s: %v", response, r)
		}
	}
}
