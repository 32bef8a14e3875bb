package upgrade_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/upgrade"
	"github.com/exgate/exgate/internal/boundedfile"
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

// TestPIDFileThatIsNoFile requires that anything but a regular file is left as it is.
func TestPIDFileThatIsNoFile(t *testing.T) {
	folder, pipe := filepath.Join(t.TempDir(), "folder"), filepath.Join(t.TempDir(), "pipe")
	if err := errors.Join(os.Mkdir(folder, 0o700), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, pipe} {
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := upgrade.WritePIDFile(path); !errors.Is(err, boundedfile.ErrNotRegular) {
			t.Error(err)
		}
		if err := upgrade.RemovePIDFile(path); err != nil {
			t.Error(err)
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s is %v, %v", path, after, err)
		}
	}
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("not a number\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := upgrade.RemovePIDFile(garbage); err == nil {
		t.Error("it was removed")
	}
	if _, err := os.Lstat(garbage); err != nil {
		t.Error(err)
	}
}
