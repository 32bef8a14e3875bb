package access_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// watch follows a file until the test ends.
func watch(t *testing.T, path string) (*access.File, *gatewaytest.Log) {
	t.Helper()
	f, err := access.LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log := &gatewaytest.Log{}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { f.Watch(ctx, log.Logger()) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return f, log
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace puts a new file in the place of the old one.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func users(t *testing.T, passwords map[string]string) string {
	t.Helper()
	text := "users:\n"
	for name, password := range passwords {
		text += fmt.Sprintf(" - {username: %s, password: %q}\n", name, hashed(t, password))
	}
	return text
}

func TestFileIsReloaded(t *testing.T) {
	path := writeFile(t, users(t, map[string]string{"alice": "one", "bob": "one"}))
	f, log := watch(t, path)
	for _, name := range []string{"alice", "bob"} {
		if got := decide(t, f, name, "one"); got != access.Allow {
			t.Fatal(got)
		}
	}
	replace(t, path, users(t, map[string]string{"alice": "two"}))
	gatewaytest.Eventually(t, "the new password holds", func() bool {
		return decide(t, f, "alice", "two") == access.Allow
	})
	if got := decide(t, f, "alice", "one"); got != access.Deny {
		t.Errorf("the old password: %v", got)
	}
	if got := decide(t, f, "bob", "one"); got != access.Ignore {
		t.Errorf("a user who is gone: %v", got)
	}
	if text := log.String(); !strings.Contains(text, "auth file reloaded") || !strings.Contains(text, "users=1") {
		t.Error(text)
	}
}

func TestBrokenFileLeavesTheOldOne(t *testing.T) {
	good := users(t, map[string]string{"alice": "one"})
	path := writeFile(t, good)
	f, log := watch(t, path)
	write(t, path, "users:\n - {username: alice, password: hunter2}\n")
	gatewaytest.Eventually(t, "the log tells", func() bool {
		return strings.Contains(log.String(), path+":2: password is neither")
	})
	if got := decide(t, f, "alice", "one"); got != access.Allow {
		t.Error(got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Eventually(t, "the log tells", func() bool { return strings.Contains(log.String(), "no such file") })
	if got := decide(t, f, "alice", "one"); got != access.Allow {
		t.Error(got)
	}
	replace(t, path, good+"anonymous: true\n")
	gatewaytest.Eventually(t, "the file is back", func() bool { return decide(t, f, "", "") == access.Allow })
	if strings.Contains(log.String(), "hunter2") {
		t.Error("the log has a password")
	}
}

// TestRulesOfOpenSessionsChange keeps the answer of a login while the file changes.
func TestRulesOfOpenSessionsChange(t *testing.T) {
	path := writeFile(t, "anonymous: true\nrules: [{permission: allow, action: all, topics: [a]}]\n")
	f, _ := watch(t, path)
	answer, err := f.Authenticate(t.Context(), gateway.Device{}, "")
	if err != nil {
		t.Fatal(err)
	}
	may := func(topic string) bool { return answer.Allows(gateway.Device{}, access.Publish, topic, nil) }
	if !may("a") || may("b") {
		t.Fatal("the rules do not hold")
	}
	write(t, path, "anonymous: true\nrules: [{permission: allow, action: all, topics: [b]}]\n")
	gatewaytest.Eventually(t, "the new rule holds", func() bool { return may("b") && !may("a") })
	write(t, path, "anonymous: true\n")
	gatewaytest.Eventually(t, "no rule holds", func() bool { return may("a") && may("b") })
}

// TestFileBehindLinkIsReloaded swaps a folder, as mounted secrets are.
func TestFileBehindLinkIsReloaded(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"v1", "v2"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version, "auth.yaml"), fmt.Sprintf("anonymous: %v\n", version == "v2"))
	}
	link := func(to, at string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, at)); err != nil {
			t.Fatal(err)
		}
	}
	link("v1", "data")
	link("data/auth.yaml", "auth.yaml")
	f, _ := watch(t, filepath.Join(dir, "auth.yaml"))
	link("v2", "data.new")
	if err := os.Rename(filepath.Join(dir, "data.new"), filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Eventually(t, "the new folder's file holds", func() bool {
		return decide(t, f, "", "") == access.Allow
	})
}
