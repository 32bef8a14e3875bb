package boundedfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, size := range []int{0, 1, 511, 512, 513, 4095, 4096} {
		want := bytes.Repeat([]byte("x"), size)
		must(t, os.WriteFile(path, want, 0o600))
		got, err := Read(path, 4096)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
	must(t, os.Symlink("file", filepath.Join(dir, "link")))
	if got, err := Read(filepath.Join(dir, "link"), 4096); err != nil || len(got) != 4096 {
		t.Errorf("through a link: %d bytes, %v", len(got), err)
	}
}

func TestReadTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big")
	must(t, os.WriteFile(path, nil, 0o600))
	for _, size := range []int64{1025, 40 << 30} { // the large one is sparse
		must(t, os.Truncate(path, size))
		_, err := Read(path, 1024)
		if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), path+": too large, more than 1 KiB") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// Only an argument may be a pipe, which is read to its end, and not beyond the limit.
func TestReadArgument(t *testing.T) {
	if runtime.GOOS != "linux" { // elsewhere a descriptor's name opens the same file again, not the pipe
		return
	}
	for _, test := range []struct {
		size int
		want string
	}{{1, ""}, {100_000, ""}, {100_001, "too large"}, {0, "nothing was written"}} {
		read, write, err := os.Pipe()
		must(t, err)
		path := fmt.Sprintf("/dev/fd/%d", read.Fd())
		if _, err := Read(path, 100_000); !errors.Is(err, ErrNotRegular) {
			t.Errorf("a pipe that is no argument: %v", err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = write.Write(make([]byte, test.size))
			_ = write.Close()
		}()
		got, err := ReadArgument(path, 100_000)
		must(t, read.Close()) // ends a write that nobody waits for
		<-done
		if test.want == "" && (err != nil || len(got) != test.size) ||
			test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%d bytes: %d, %v", test.size, len(got), err)
		}
	}
	if _, err := ReadArgument("/dev/zero", 1024); !errors.Is(err, ErrNotRegular) {
		t.Error(err)
	}
}

// What says that it has no bytes, as everything in /proc does, is bounded too.
func TestReadUnknownSize(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	if b, err := Read("/proc/self/status", 1<<20); err != nil || !bytes.Contains(b, []byte("VmRSS")) {
		t.Error(len(b), err)
	}
	if _, err := Read("/proc/self/status", 100); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestNotRegular(t *testing.T) {
	dir, err := os.MkdirTemp("", "b") // a socket's name must be short
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, syscall.Mkfifo(at("pipe"), 0o600))
	must(t, os.Symlink("pipe", at("link")))
	must(t, os.Symlink("loop", at("loop")))
	must(t, os.Symlink("nowhere", at("dangling")))
	l, err := net.Listen("unix", at("socket"))
	must(t, err)
	defer func() { _ = l.Close() }()
	for path, want := range map[string]struct {
		text string
		is   error
	}{
		at("pipe"):     {"a named pipe", ErrNotRegular},
		at("link"):     {"a named pipe", ErrNotRegular},
		at("socket"):   {"a socket", ErrNotRegular},
		dir:            {"a folder", ErrNotRegular},
		"/dev/zero":    {"a device", ErrNotRegular},
		at("loop"):     {"too many levels of symbolic links", syscall.ELOOP},
		at("dangling"): {"no such file", fs.ErrNotExist},
	} {
		_, err := Read(path, 1<<20)
		if !errors.Is(err, want.is) || !strings.Contains(err.Error(), want.text) ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A file that is swapped for a named pipe and back, as fast as that goes, never makes a reader wait.
func TestSwappedForPipe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	must(t, os.WriteFile(path, []byte("content"), 0o600))
	done := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			next := filepath.Join(dir, "next")
			var err error
			if i%2 == 0 {
				err = syscall.Mkfifo(next, 0o600)
			} else {
				err = os.WriteFile(next, []byte("content"), 0o600)
			}
			if err = errors.Join(err, os.Rename(next, path)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 3000 {
		if b, err := Read(path, 100); err == nil && string(b) != "content" ||
			err != nil && !errors.Is(err, ErrNotRegular) {
			t.Errorf("%q, %v", b, err)
		}
	}
	close(done)
	swapping.Wait()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
