package spool

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/exgate/exgate/connectors/internal/database"
)

// TestDamagedFiles damages each file of a folder in several ways. Opening the folder must succeed or return an error
// that names the setting.
func TestDamagedFiles(t *testing.T) {
	master := t.TempDir()
	s := openIn(t, Config{Folder: master})
	q := s.Queue("dev")
	for i := range 400 { // enough for a table
		mustPut(t, q, publish(fmt.Sprint(i), make([]byte, 3000)...))
	}
	s.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for _, name := range files(t, master) {
		for way, damage := range map[string]func([]byte) []byte{
			"empty":     func([]byte) []byte { return nil },
			"torn":      func(b []byte) []byte { return b[:len(b)/2] },
			"flipped":   func(b []byte) []byte { return flip(rng, b, 1) },
			"scratched": func(b []byte) []byte { return flip(rng, b, 200) },
			"noise":     func(b []byte) []byte { return flip(rng, b, len(b)) },
		} {
			folder := filepath.Join(t.TempDir(), "spool")
			if err := os.CopyFS(folder, os.DirFS(master)); err != nil {
				t.Fatal(err)
			}
			edit(t, filepath.Join(folder, name), damage)
			if err := tryFolder(folder); err != nil {
				refused++
				if !strings.HasPrefix(err.Error(), "upstream.spool.folder "+folder+": ") {
					t.Errorf("%s %s: %v", way, name, err)
				}
			}
		}
	}
	if refused == 0 {
		t.Error("no damage was found")
	}
}

func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func edit(t *testing.T, file string, damage func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, damage(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func flip(rng *rand.Rand, b []byte, times int) []byte {
	for range min(times, len(b)) {
		b[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255))
	}
	return b
}

// tryFolder uses the folder as far as possible.
func tryFolder(folder string) error {
	s, err := Open(Config{Folder: folder, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer s.Close()
	q := s.Queue("dev")
	put(q, publish("t"))
	drain(q)
	return nil
}

func TestForeignDatabase(t *testing.T) {
	folder := t.TempDir()
	db, err := pebble.Open(folder, &pebble.Options{Logger: database.DebugLogger{Logger: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	db.Set([]byte("somebody's"), []byte("data"), pebble.Sync)
	db.Close()
	for range 2 {
		if err := tryFolder(folder); err == nil ||
			err.Error() != "upstream.spool.folder "+folder+": "+errForeign.Error() {
			t.Fatalf("opening: %v", err)
		}
	}
}

func TestFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{file, filepath.Join(file, "below")} {
		if err := tryFolder(folder); err == nil || !strings.HasPrefix(err.Error(),
			"upstream.spool.folder "+folder+": creating it: ") {
			t.Errorf("opening: %v", err)
		}
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	for name, cfg := range map[string]Config{
		"folder":               {},
		"max_bytes":            {Folder: "x", MaxBytes: -1},
		"max_bytes_per_device": {Folder: "x", MaxBytesPerDevice: -1},
		"max_age":              {Folder: "x", MaxAge: -1},
	} {
		if _, err := Open(cfg); err == nil || !strings.HasPrefix(err.Error(), "upstream.spool."+name+": ") {
			t.Errorf("%v", err)
		}
	}
}
