package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/exgate/exgate/internal/boundedfile"
)

// patience is how long a test waits for what must happen.
const patience = 90 * time.Second

// change is what a watcher reported.
type change struct {
	text string
	err  error
}

// watched follows real files. Without notifications nothing would be noticed in the time of the test, unless a test
// says so.
func watched(t *testing.T, o Options, paths ...string) chan change {
	t.Helper()
	f, _, err := Open(1<<20, paths...)
	must(t, err)
	if o.Poll == 0 {
		o.Poll = time.Hour
	}
	o.Logger = slog.New(slog.DiscardHandler)
	changes := make(chan change, 100)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		f.Watch(ctx, o, func(contents [][]byte, err error) {
			var text []string
			for _, c := range contents {
				text = append(text, string(c))
			}
			changes <- change{strings.Join(text, "|"), err}
		})
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return changes
}

func expect(t *testing.T, changes chan change, want string) {
	t.Helper()
	for {
		select {
		case c := <-changes:
			if c.err == nil && c.text == want {
				return
			}
			t.Logf("passed by: %q, %v", c.text, c.err)
		case <-time.After(patience):
			t.Fatalf("%q was never reported", want)
		}
	}
}

func expectError(t *testing.T, changes chan change, want error) {
	t.Helper()
	select {
	case c := <-changes:
		if !errors.Is(c.err, want) {
			t.Fatalf("%q, %v; want %v", c.text, c.err, want)
		}
	case <-time.After(patience):
		t.Fatalf("%v was never reported", want)
	}
}

func TestFilesThatChange(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "1")
	write(t, b, "x")
	changes := watched(t, Options{}, a, b)
	write(t, a, "2")
	expect(t, changes, "2|x")
	write(t, b, "y") // the same size, perhaps in the same tick of the clock
	expect(t, changes, "2|y")
	write(t, filepath.Join(dir, "new"), "3")
	must(t, os.Rename(filepath.Join(dir, "new"), a))
	expect(t, changes, "3|y")
	must(t, os.Remove(a))
	expectError(t, changes, fs.ErrNotExist)
	must(t, syscall.Mkfifo(a, 0o600))
	expectError(t, changes, boundedfile.ErrNotRegular)
	must(t, os.Remove(a))
	write(t, a, strings.Repeat("x", 1<<20+1))
	for err := error(nil); !errors.Is(err, boundedfile.ErrTooLarge); { // it may be seen when it has just gone
		select {
		case c := <-changes:
			err = c.err
		case <-time.After(patience):
			t.Fatal("a file that is too large was never reported")
		}
	}
	write(t, a, "4")
	expect(t, changes, "4|y")
}

// Another file of the folder is written all the time.
func TestFilesBesideNoise(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, path, "old")
	changes := watched(t, Options{}, path)
	stop := make(chan struct{})
	var noise sync.WaitGroup
	noise.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				write(t, filepath.Join(dir, "data.csv"), fmt.Sprint(i))
			}
		}
	})
	for i := range 5 {
		text := fmt.Sprint("new ", i)
		write(t, filepath.Join(dir, ".new"), text)
		must(t, os.Rename(filepath.Join(dir, ".new"), path))
		expect(t, changes, text)
	}
	close(stop)
	noise.Wait()
}

// A file that is replaced all the time is taken now and then all the same.
func TestFileThatNeverSettles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, path, "old")
	changes := watched(t, Options{}, path)
	for i := 0; ; i++ {
		write(t, path, fmt.Sprint(i))
		select {
		case <-changes:
			return
		case <-time.After(10 * time.Millisecond):
		}
		if i == int(patience/(10*time.Millisecond)) {
			t.Fatal("never taken")
		}
	}
}

// A folder as a mounted ConfigMap is: the file leads through ..data, which a rename replaces.
func TestConfigMap(t *testing.T) {
	dir := t.TempDir()
	version := func(v string) {
		t.Helper()
		must(t, os.Mkdir(filepath.Join(dir, "..v"+v), 0o700))
		write(t, filepath.Join(dir, "..v"+v, "file"), v)
		must(t, os.Symlink("..v"+v, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	version("1")
	must(t, os.Symlink("..data/file", filepath.Join(dir, "file")))
	changes := watched(t, Options{}, filepath.Join(dir, "file"))
	for _, v := range []string{"2", "3", "4"} {
		version(v)
		expect(t, changes, v)
	}
}

// What a link leads to changes in place, in a folder of its own.
func TestTargetOfLink(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	write(t, filepath.Join(other, "target"), "1")
	must(t, os.Symlink(filepath.Join(other, "target"), filepath.Join(dir, "file")))
	changes := watched(t, Options{}, filepath.Join(dir, "file"))
	write(t, filepath.Join(other, "target"), "2")
	expect(t, changes, "2")
}

// The folder is deleted, or moved away, and made again: there are notifications from the new one.
func TestFolderThatComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "folder")
	path := filepath.Join(dir, "file")
	must(t, os.Mkdir(dir, 0o700))
	write(t, path, "0")
	changes := watched(t, Options{Poll: 20 * time.Millisecond}, path)
	for i := 1; i < 7; i++ {
		if i%2 == 0 {
			must(t, os.RemoveAll(dir))
		} else {
			must(t, os.Rename(dir, dir+fmt.Sprint(i)))
		}
		expectError(t, changes, fs.ErrNotExist)
		must(t, os.Mkdir(dir, 0o700))
		write(t, path, fmt.Sprint(i))
		expect(t, changes, fmt.Sprint(i))
		hub.control.Lock()
		if info, err := os.Stat(dir); err != nil || len(hub.folders) != 1 || !os.SameFile(info, hub.folders[dir]) {
			t.Errorf("watched are %v", hub.folders)
		}
		hub.control.Unlock()
	}
}

// Many watchers come and go at the same time, with one watcher of the system.
func TestManyWatchers(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 20 {
		path := filepath.Join(dir, fmt.Sprint(i%3), fmt.Sprint("file", i))
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		write(t, path, "old")
		all.Go(func() {
			for range 3 {
				f, _, err := Open(100, path)
				if err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				_ = os.WriteFile(path, []byte(fmt.Sprint(time.Now())), 0o600)
				f.Watch(ctx, Options{Poll: time.Hour}, func([][]byte, error) { cancel() })
				if !errors.Is(ctx.Err(), context.Canceled) {
					t.Error("the change was never noticed")
				}
				cancel()
			}
		})
	}
	all.Wait()
	if hub.watcher != nil || len(hub.subscriptions) != 0 {
		t.Error("a watcher is left")
	}
}

// What has not changed is not read again, and what may have changed within a tick of the clock is.
func TestReadingIsSpared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "1")
	f, _, err := Open(100, path)
	must(t, err)
	if f.sureTheSame() {
		t.Error("a file that has just been written counts as the same")
	}
	f.read = f.read.Add(clockGrain + time.Second) // as if it had been read later
	if !f.sureTheSame() {
		t.Error("a file that is the same counts as changed")
	}
	for _, text := range []string{"2", "3", "4", "5"} {
		write(t, path, text)
		if got, err := f.Look(0); err != nil || len(got) != 1 || string(got[0]) != text {
			t.Errorf("%q, %v; want %s", got, err, text)
		}
		if got, err := f.Look(0); err != nil || got != nil {
			t.Errorf("again: %q, %v", got, err)
		}
	}
	must(t, os.Remove(path))
	if got, err := f.Look(0); !errors.Is(err, fs.ErrNotExist) || got != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := f.Look(0); err != nil || got != nil {
		t.Errorf("the same error again: %q, %v", got, err)
	}
}

// A file that was written a moment ago may be half written: it is taken once it has been the same for a while, by the
// system's clock or by this one.
func TestLookThatSettles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "old")
	f, _, err := Open(1<<20, path)
	must(t, err)
	write(t, path, "half")
	if got, err := f.Look(time.Hour); err != nil || got != nil {
		t.Errorf("just written: %q, %v", got, err)
	}
	f.since = f.since.Add(-time.Hour)
	if got, err := f.Look(time.Hour); err != nil || len(got) != 1 || string(got[0]) != "half" {
		t.Errorf("written an hour ago: %q, %v", got, err)
	}
	now := time.Now()
	f.stamps = []stamp{{changed: now.Add(-time.Minute)}, {changed: now.Add(-time.Second)}}
	if got := f.changedLast(now); !got.Equal(now.Add(-time.Second)) {
		t.Errorf("changed last at %v", got.Sub(now))
	}
	f.stamps[0].changed = now.Add(time.Minute) // another machine's clock
	if got := f.changedLast(now); !got.Equal(now) {
		t.Errorf("by a clock that is ahead: %v", got.Sub(now))
	}
}
