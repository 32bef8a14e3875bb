package mosquitto

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	plugin       = "mosquitto_dynamic_security.so"
	adminName    = "exgate-test-admin"
	adminPass    = "exgate-test-admin"
	everyoneRole = "everyone"
	iterations   = 101
)

func (b *Broker) accessConfig() []string {
	switch {
	case b.options.Dynamic:
		return []string{
			"allow_anonymous false", "plugin " + pluginPath(),
			"plugin_opt_config_file " + b.path("dynamic-security.json"),
		}
	case len(b.options.Users) > 0:
		return []string{"allow_anonymous false", "password_file " + b.path("passwords")}
	}
	return []string{"allow_anonymous true"}
}

func (b *Broker) path(name string) string { return filepath.Join(b.dir, name) }

// pluginPath returns the path where the distribution installed the plug-in.
func pluginPath() string {
	for _, pattern := range []string{
		"/usr/lib/*/" + plugin, "/usr/lib/" + plugin, "/usr/local/lib/" + plugin,
		"/opt/homebrew/lib/" + plugin,
	} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	return plugin
}

func (b *Broker) writeAccess(t testing.TB) {
	t.Helper()
	switch {
	case b.options.Dynamic:
		Program(t, "mosquitto_ctrl")
		text, err := json.Marshal(b.dynamicSecurity())
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, b.path("dynamic-security.json"), text)
	case len(b.options.Users) > 0:
		var lines strings.Builder
		for name, password := range b.options.Users {
			hash, salt := hashPassword(password)
			fmt.Fprintf(&lines, "%s:$7$%d$%s$%s\n", name, iterations, salt, hash)
		}
		writeFile(t, b.path("passwords"), []byte(lines.String()))
	}
}

func writeFile(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// hashPassword hashes with PBKDF2 and SHA-512, as mosquitto expects in both its files.
func hashPassword(password string) (hash, salt string) {
	random := make([]byte, 12)
	_, _ = rand.Read(random)
	key, err := pbkdf2.Key(sha512.New, password, random, iterations, 64)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(key), base64.StdEncoding.EncodeToString(random)
}

type (
	dynFile struct {
		Clients []dynClient     `json:"clients"`
		Roles   []dynRole       `json:"roles"`
		Default map[string]bool `json:"defaultACLAccess"`
	}
	dynClient struct {
		Username   string        `json:"username"`
		Password   string        `json:"password"`
		Salt       string        `json:"salt"`
		Iterations int           `json:"iterations"`
		Roles      []dynRoleName `json:"roles"`
	}
	dynRoleName struct {
		Name string `json:"rolename"`
	}
	dynRole struct {
		Name string   `json:"rolename"`
		ACLs []dynACL `json:"acls"`
	}
	dynACL struct {
		Type  string `json:"acltype"`
		Topic string `json:"topic"`
		Allow bool   `json:"allow"`
	}
)

func (b *Broker) dynamicSecurity() dynFile {
	f := dynFile{
		Default: map[string]bool{
			"publishClientSend": true, "publishClientReceive": true, "subscribe": true,
			"unsubscribe": true,
		},
		Roles:   []dynRole{{Name: "admin", ACLs: adminACLs()}, {Name: everyoneRole}},
		Clients: []dynClient{newDynClient(adminName, adminPass, "admin")},
	}
	for _, topic := range b.options.Denied {
		f.Roles[1].ACLs = append(f.Roles[1].ACLs, dynACL{"publishClientSend", topic, false},
			dynACL{"subscribePattern", topic, false})
	}
	for name, password := range b.options.Users {
		f.Roles = append(f.Roles, dynRole{Name: userRole(name)})
		f.Clients = append(f.Clients, newDynClient(name, password, everyoneRole, userRole(name)))
	}
	return f
}

func userRole(username string) string { return "user-" + username }

func adminACLs() (acls []dynACL) {
	for _, kind := range []string{"publishClientSend", "publishClientReceive", "subscribePattern"} {
		acls = append(acls, dynACL{kind, "$CONTROL/dynamic-security/#", true})
	}
	return acls
}

func newDynClient(name, password string, roles ...string) dynClient {
	hash, salt := hashPassword(password)
	c := dynClient{Username: name, Password: hash, Salt: salt, Iterations: iterations}
	for _, role := range roles {
		c.Roles = append(c.Roles, dynRoleName{role})
	}
	return c
}

// Access is a kind of access that can be denied.
type Access string

// Kinds of access that the dynamic security plug-in knows.
const (
	Publish   Access = "publishClientSend"
	Subscribe Access = "subscribePattern"
	Receive   Access = "publishClientReceive"
)

// Deny denies a user access to the topics that match filter, from now on. mosquitto disconnects the user's clients.
func (b *Broker) Deny(t testing.TB, username string, access Access, filter string) {
	t.Helper()
	b.Control(t, "addRoleACL", userRole(username), string(access), filter, "deny")
}

// Allow undoes a Deny.
func (b *Broker) Allow(t testing.TB, username string, access Access, filter string) {
	t.Helper()
	b.Control(t, "removeRoleACL", userRole(username), string(access), filter)
}

// Control runs a command of the dynamic security plug-in.
func (b *Broker) Control(t testing.TB, command ...string) {
	t.Helper()
	args := append([]string{"-h", "127.0.0.1", "-p", b.ports[overTCP], "-u", adminName, "-P", adminPass, "dynsec"},
		command...)
	if out, err := exec.Command("mosquitto_ctrl", args...).CombinedOutput(); err != nil ||
		strings.Contains(string(out), "rror") {
		t.Fatalf("mosquitto_ctrl dynsec %s: %v: %s", strings.Join(command, " "), err, out)
	}
}
