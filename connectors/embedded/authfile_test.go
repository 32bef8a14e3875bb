package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/embedded"
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
