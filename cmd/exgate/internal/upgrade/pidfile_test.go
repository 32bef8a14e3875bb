package upgrade_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/upgrade"
)

func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exgate.pid")
	if err := errors.Join(os.WriteFile(path, []byte("1\n"), 0o600), upgrade.RemovePIDFile(path)); err != nil {
		t.Error(err)
	}
	if pid, err := upgrade.ReadPIDFile(path); pid != 1 || err != nil {
		t.Errorf("another process's file is gone or changed: %d, %v", pid, err)
	}
	if err := upgrade.WritePIDFile(path); err != nil {
		t.Error(err)
	}
	if pid, err := upgrade.ReadPIDFile(path); pid != os.Getpid() || err != nil {
		t.Errorf("read %d, %v", pid, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left %v", entries)
	}
	for range 2 {
		if err := upgrade.RemovePIDFile(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
}

func TestPIDFileThatCannotBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "exgate.pid")
	if err := upgrade.WritePIDFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := errors.Join(upgrade.WritePIDFile(""), upgrade.RemovePIDFile("")); err != nil {
		t.Errorf("no file was asked for: %v", err)
	}
	for _, text := range []string{"", "x", "-1", "0", "99999999999"} {
		path := filepath.Join(t.TempDir(), "exgate.pid")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if pid, err := upgrade.ReadPIDFile(path); err == nil {
			t.Errorf("%q was read as %d", text, pid)
		}
	}
}
