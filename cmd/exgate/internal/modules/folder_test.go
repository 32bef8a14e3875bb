package modules

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/runtime/wasm/rollout"
)

func digest(module []byte) string {
	sum := sha256.Sum256(module)
	return hex.EncodeToString(sum[:])
}

// variant returns a guest with another custom section: a different file with the same behavior.
func variant(t testing.TB, name, section string) []byte {
	t.Helper()
	return append(append(guest(t, name), 0, byte(len(section)+1), byte(len(section))), section...)
}

func TestModulesThatAreThereAtTheStart(t *testing.T) {
	h := newFixture(t, map[string][]byte{
		"good.wasm": guest(t, "echo"), "bad.wasm": []byte("no"), "lonely.yaml": nil,
		"notes.txt": nil,
	})
	var got []string
	for _, s := range h.folder.List() {
		got = append(got, s.Name+" "+string(s.State))
	}
	if all := strings.Join(got, ", "); all != "bad rejected, good loaded, lonely waiting" {
		t.Error(all)
	}
	if s, _ := h.folder.Find("bad"); !strings.HasSuffix(s.Reason, "bad.wasm: is not a core WebAssembly module") {
		t.Error(s.Reason)
	}
	if s, _ := h.folder.Find("lonely"); s.Reason != "there is no lonely.wasm or lonely.js next to lonely.yaml" {
		t.Error(s.Reason)
	}
	must(t, os.Remove(h.file("lonely.yaml")))
	h.status("lonely", "is forgotten", func(s Status) bool { return s.Name == "" })
}

func TestNoFolder(t *testing.T) {
	if _, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "none"), Logger: quiet}); err == nil {
		t.Error("a folder that does not exist was opened")
	}
}

func TestNewChangedAndOldFile(t *testing.T) {
	h := newFixture(t, nil)
	a, b := variant(t, "scenario", "a"), variant(t, "scenario", "b")
	h.write("m.wasm", a)
	h.serves("m", a)
	h.replace("m.wasm", b)
	h.serves("m", b)
	h.write("m.wasm", a)
	h.serves("m", a)
}

// A file that is written in pieces, with pauses longer than files take to settle, is never loaded before it is
// complete.
func TestHalfWrittenFile(t *testing.T) {
	a, b := variant(t, "scenario", "a"), variant(t, "hostile", "b")
	h := newFixture(t, map[string][]byte{"m.wasm": a})
	f, err := os.Create(h.file("m.wasm"))
	must(t, err)
	for piece := b; len(piece) > 0; {
		n := min(len(b)/4, len(piece))
		_, err := f.Write(piece[:n])
		must(t, err)
		if piece = piece[n:]; len(piece) > 0 {
			if s := h.state("m", Waiting); !strings.Contains(s.Reason, "is incomplete") ||
				s.Module.Versions[0].Digest != digest(a) {
				t.Errorf("%+v", s)
			}
		}
	}
	must(t, f.Close())
	h.serves("m", b)
}

func TestBadFileChangesNothing(t *testing.T) {
	a := guest(t, "scenario")
	h := newFixture(t, map[string][]byte{"m.wasm": a})
	for reason, bad := range map[string][]byte{
		"is not a core WebAssembly module": []byte("#!/bin/sh\n"),
		"does not export its memory":       []byte("\x00asm\x01\x00\x00\x00"),
	} {
		h.replace("m.wasm", bad)
		s := h.status("m", reason, func(s Status) bool {
			return s.State == Rejected && strings.Contains(s.Reason, reason)
		})
		if got := s.Module.Versions; len(got) != 1 || got[0].Digest != digest(a) ||
			got[0].State != rollout.VersionServing {
			t.Errorf("%+v", s)
		}
	}
	h.replace("m.wasm", a)
	h.serves("m", a)
}

func TestSettings(t *testing.T) {
	a := guest(t, "scenario")
	h := newFixture(t, map[string][]byte{"m.wasm": a, "m.yaml": []byte("config: one\n")})
	h.write("m.yaml", []byte("config: two\nlimits:\n  fule: 1\n"))
	if s := h.state("m", Rejected); !strings.HasSuffix(s.Reason,
		`m.yaml:3: limits.fule: unknown key, did you mean "fuel"?`) {
		t.Error(s.Reason)
	}
	h.write("m.yaml", []byte("config: '!'\n")) // refused by this guest
	h.status("m", "refused", func(s Status) bool { return strings.Contains(s.Reason, "refused its configuration") })
	first, _ := h.folder.Find("m")
	h.write("m.yaml", []byte("config: two\n"))
	h.status("m", "has its settings", func(s Status) bool {
		return s.State == Loaded && s.Module.Versions[0].Loaded.After(first.Module.Versions[0].Loaded)
	})
	must(t, os.Remove(h.file("m.yaml")))
	h.status("m", "has no settings", func(s Status) bool { return s.State == Loaded && s.Since.After(first.Since) })
}

func TestCanaryOfAFile(t *testing.T) {
	a, b := variant(t, "echo", "a"), variant(t, "echo", "b")
	h := newFixture(t, map[string][]byte{"m.wasm": a, "m.yaml": []byte("canary: {percent: 25}\n")})
	h.replace("m.wasm", b)
	s := h.status("m", "canary", func(s Status) bool { return s.State == Loaded && len(s.Module.Versions) == 2 })
	if v := s.Module.Versions; v[0].Digest != digest(b) || v[0].Percent != 25 || v[1].Percent != 75 {
		t.Errorf("%+v", v)
	}
	h.write("m.yaml", nil)
	h.serves("m", b)
}

func TestRemovedAndPutBack(t *testing.T) {
	a := guest(t, "echo")
	h := newFixture(t, map[string][]byte{"m.wasm": a, "m.yaml": []byte("listener: {bind: 127.0.0.1:0}\n")})
	d := h.dial("m")
	must(t, os.Remove(h.file("m.wasm")))
	s := h.state("m", Removed)
	if len(s.Module.Versions) != 1 || s.Module.Versions[0].State != rollout.VersionDraining || s.Listener != nil {
		t.Errorf("%+v", s)
	}
	d.echo("still here")
	h.write("m.wasm", a)
	h.serves("m", a)
	h.dial("m").echo("again")
	d.echo("and still")
}

// Links as in a ConfigMap of Kubernetes: the files lead through ..data, which is replaced by a rename.
func TestLinks(t *testing.T) {
	a, b := variant(t, "echo", "a"), variant(t, "echo", "b")
	h := newFixture(t, nil)
	data := func(version string, module []byte) {
		t.Helper()
		must(t, os.Mkdir(h.file("..v"+version), 0o700))
		h.write("..v"+version+"/m.wasm", module)
		must(t, os.Symlink("..v"+version, h.file("..data_tmp")))
		must(t, os.Rename(h.file("..data_tmp"), h.file("..data")))
	}
	data("1", a)
	must(t, os.Symlink("..data/m.wasm", h.file("m.wasm")))
	h.serves("m", a)
	data("2", b)
	h.serves("m", b)
}

// If the folder disappears, as one on a network may, modules stay, and it is watched again when it is back.
func TestFolderThatGoes(t *testing.T) {
	a, b := variant(t, "echo", "a"), variant(t, "echo", "b")
	h := newFixture(t, map[string][]byte{"m.wasm": a})
	away := filepath.Join(filepath.Dir(h.path), "away")
	must(t, os.Rename(h.path, away))
	must(t, os.Mkdir(h.path+"2", 0o700))
	if s, _ := h.folder.Find("m"); s.State != Loaded {
		t.Errorf("%+v", s)
	}
	must(t, os.WriteFile(h.path+"2/m.wasm", b, 0o600))
	must(t, os.Rename(h.path+"2", h.path))
	h.serves("m", b)
}

func TestInvalidName(t *testing.T) {
	h := newFixture(t, map[string][]byte{"My Module.wasm": guest(t, "echo")})
	if s := h.state("My Module", Rejected); !strings.Contains(s.Reason, "is not a valid module name") {
		t.Error(s.Reason)
	}
}

// The name of a file need not be UTF-8, as the labels of metrics must be.
func TestNamesThatAreNotUTF8(t *testing.T) {
	h := newFixtureWith(t, map[string][]byte{"a\xff.wasm": guest(t, "echo"), "good.wasm": guest(t, "echo")},
		func(c *Config) {
			c.Metrics = NewMetrics(nil)
		})
	for _, name := range []string{"a\xff", "b\xff"} {
		h.write(name+".wasm", guest(t, "echo"))
		if s := h.state(name, Rejected); !strings.Contains(s.Reason, "is not a valid module name") {
			t.Error(s.Reason)
		}
	}
	h.serves("good", guest(t, "echo"))
	must(t, os.Remove(h.file("a\xff.wasm")))
	h.status("a\xff", "is forgotten", func(s Status) bool { return s.Name == "" })
	if n := testutil.CollectAndCount(h.config.Metrics.files); n != 2 {
		t.Errorf("%d files are counted, want 2", n)
	}
}

// An invalid entry is rejected with a reason and affects no other, at the start and later.
func TestBadEntries(t *testing.T) {
	bad := map[string]struct {
		put    func(h *fixture, name string) error
		reason string
	}{
		"folder": {
			func(h *fixture, name string) error { return os.Mkdir(h.file(name+".wasm"), 0o700) },
			"folder.wasm: a folder, not a regular file",
		},
		"pipe": {
			func(h *fixture, name string) error { return syscall.Mkfifo(h.file(name+".wasm"), 0o600) },
			"pipe.wasm: a named pipe, not a regular file",
		},
		"loop": {
			func(h *fixture, name string) error { return os.Symlink(name+".wasm", h.file(name+".wasm")) },
			"loop.wasm: too many levels of symbolic links",
		},
		"dangling": {
			func(h *fixture, name string) error { return os.Symlink("nowhere", h.file(name+".wasm")) },
			"dangling.wasm: no such file or directory",
		},
		"device": {
			func(h *fixture, name string) error { return os.Symlink("/dev/zero", h.file(name+".wasm")) },
			"device.wasm: a device, not a regular file",
		},
		"huge": {func(h *fixture, name string) error {
			return errors.Join(os.WriteFile(h.file(name+".wasm"), nil, 0o600),
				os.Truncate(h.file(name+".wasm"), 40<<30))
		}, "huge.wasm: too large, more than 64 MiB"},
		"settings": {func(h *fixture, name string) error {
			return errors.Join(os.WriteFile(h.file(name+".wasm"), guest(t, "echo"), 0o600),
				syscall.Mkfifo(h.file(name+".yaml"), 0o600))
		}, "settings.yaml: a named pipe, not a regular file"},
		"settings-loop": {func(h *fixture, name string) error {
			return errors.Join(os.WriteFile(h.file(name+".wasm"), guest(t, "echo"), 0o600),
				os.Symlink(name+".yaml", h.file(name+".yaml")))
		}, "settings-loop.yaml: too many levels of symbolic links"},
		"unreadable": {func(h *fixture, name string) error {
			return os.WriteFile(h.file(name+".wasm"), guest(t, "echo"), 0o000)
		}, "unreadable.wasm: permission denied"},
	}
	if os.Getuid() == 0 {
		delete(bad, "unreadable") // root may read everything
	}
	for name, b := range bad {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t, map[string][]byte{"a.wasm": guest(t, "echo")})
			h.serves("a", guest(t, "echo"))
			must(t, b.put(h, name))
			if s := h.state(name, Rejected); !strings.HasSuffix(s.Reason, b.reason) {
				t.Error(s.Reason)
			}
			h.write("later.wasm", guest(t, "echo"))
			h.serves("later", guest(t, "echo"))
			second := h.openAgain()
			for _, s := range second.List() {
				if want := map[bool]State{true: Rejected, false: Loaded}[s.Name == name]; s.State != want {
					t.Errorf("at the start %s is %s: %s", s.Name, s.State, s.Reason)
				}
			}
		})
	}
}

// Replacing a valid file by an invalid one changes nothing.
func TestGoodModuleGoesBad(t *testing.T) {
	a := guest(t, "echo")
	h := newFixture(t, map[string][]byte{"m.wasm": a})
	must(t, os.Remove(h.file("m.wasm")))
	must(t, os.Symlink("m.wasm", h.file("m.wasm")))
	if s := h.state("m", Rejected); len(s.Module.Versions) != 1 ||
		s.Module.Versions[0].State != rollout.VersionServing {
		t.Errorf("%+v", s)
	}
}

// A file that keeps being swapped for a named pipe blocks nothing.
func TestSwappedForPipe(t *testing.T) {
	h := newFixture(t, nil)
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			next := filepath.Join(filepath.Dir(h.path), "next")
			err := syscall.Mkfifo(next, 0o600)
			if i%2 == 0 {
				err = errors.Join(os.Remove(next), os.WriteFile(next, guest(t, "echo"), 0o600))
			}
			if err := errors.Join(err, os.Rename(next, h.file("swapped.yaml"))); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 3 {
		name := fmt.Sprint("m", i)
		h.write(name+".wasm", guest(t, "echo"))
		h.serves(name, guest(t, "echo"))
	}
	close(stop)
	swapping.Wait()
}

// Slow modules delay neither the start nor other modules, and become active when they are ready.
func TestSlowModules(t *testing.T) {
	files := map[string][]byte{"quick.wasm": guest(t, "echo")}
	for i := range maxSlow {
		files[fmt.Sprint("slow", i, ".wasm")] = guest(t, "echo")
	}
	files["needed.wasm"] = guest(t, "echo")
	ready := make(chan struct{})
	h := newFixtureWith(t, files, func(c *Config) {
		c.times.startWait, c.Needed = time.Millisecond, []string{"needed"}
		c.loading = func(name string) {
			if strings.HasPrefix(name, "slow") {
				<-ready
			}
		}
	})
	h.folder.Wait(t.Context(), "needed")
	if s, _ := h.folder.Find("needed"); s.State != Loaded {
		t.Errorf("%+v", s)
	}
	h.serves("quick", guest(t, "echo"))
	h.write("later.wasm", guest(t, "echo"))
	h.serves("later", guest(t, "echo"))
	close(ready)
	for i := range maxSlow {
		h.serves(fmt.Sprint("slow", i), guest(t, "echo"))
	}
}

// A slow load gives its slot to the next one, up to a bound.
func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots()
		at := cap(s.running)
		began := time.Now()
		var leaves []func()
		for i := range at + maxSlow {
			leaves = append(leaves, s.take(t.Context()))
			if d := time.Since(began); i < at && d > 0 || d > time.Duration(i/at)*slowAfter {
				t.Errorf("turn %d began after %v", i, d)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if s.take(ctx) != nil {
			t.Error("more slots than allowed")
		}
		for _, leave := range leaves {
			leave()
		}
		s.take(t.Context())()
		synctest.Wait()
		if len(s.running)+len(s.slow) > 0 {
			t.Error("slots were not freed")
		}
	})
}
