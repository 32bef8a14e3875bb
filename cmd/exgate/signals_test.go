package main

import (
	"bufio"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A signal to stop that arrives twice at once counts once; a later one stops at once.
func TestRepeatedSignals(t *testing.T) {
	type sent struct {
		at     time.Duration
		signal os.Signal
	}
	const term, interrupt, upgrade = syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR2
	for name, test := range map[string]struct {
		sent []sent
		want []os.Signal
	}{
		"one":                 {[]sent{{0, term}}, []os.Signal{term}},
		"twice at once":       {[]sent{{0, term}, {0, term}}, []os.Signal{term}},
		"twice within 100 ms": {[]sent{{0, interrupt}, {99 * time.Millisecond, interrupt}}, []os.Signal{interrupt}},
		"thrice": {
			[]sent{{0, term}, {50 * time.Millisecond, term}, {100 * time.Millisecond, term}},
			[]os.Signal{term, term},
		},
		"impatience":   {[]sent{{0, term}, {100 * time.Millisecond, term}}, []os.Signal{term, term}},
		"another kind": {[]sent{{0, term}, {time.Millisecond, interrupt}}, []os.Signal{term, interrupt}},
		"upgrades":     {[]sent{{0, upgrade}, {time.Millisecond, upgrade}}, []os.Signal{upgrade, upgrade}},
		"others": {
			[]sent{{0, syscall.SIGHUP}, {0, syscall.SIGHUP}, {0, syscall.SIGPIPE}, {0, syscall.SIGUSR1}, {0, term}},
			[]os.Signal{term},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &processSignals{
					asked: make(chan os.Signal, 8), reload: make(chan struct{}, 1),
					received: make(chan os.Signal), done: make(chan struct{}),
				}
				s.pass(slog.New(slog.DiscardHandler))
				var now time.Duration
				for _, one := range test.sent {
					time.Sleep(one.at - now)
					now = one.at
					s.received <- one.signal
				}
				s.stop()
				close(s.asked)
				var got []os.Signal
				for asked := range s.asked {
					got = append(got, asked)
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("got %v, want %v", got, test.want)
				}
			})
		})
	}
}

// A log pipeline that ends, as in exgate run 2>&1 | head, does not end the gateway.
func TestBrokenLogPipe(t *testing.T) {
	g := newGate(t, "upstream: {embedded: {bind: 127.0.0.1:0}}\nlisteners: {demo: {bind: 127.0.0.1:0, handler: "+
		"{wasm: builtin:line}}}\n")
	cmd := exec.Command(g.program, "run", "-c", "exgate.yaml")
	cmd.Dir = g.folder
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	cmd.Env = append(os.Environ(), "PATH="+g.folder+":"+os.Getenv("PATH"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.Contains(lines.Text(), `"started"`); {
	}
	if err := out.Close(); err != nil { // no one reads its log from now on
		t.Fatal(err)
	}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it should stop as asked: %v", err)
	}
}

// SIGHUP has no effect before the configuration has been read either. Here it comes from a pipe, which the test
// controls.
func TestHangUpWhileStarting(t *testing.T) {
	g := newGate(t, "")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(g.program, "run", "-c", "/dev/fd/3")
	cmd.ExtraFiles = []*os.File{read}
	g.launch(cmd)
	_ = read.Close()
	// More than a pipe holds, so that the process is reading once it is written.
	if _, err := write.WriteString("pid_file: exgate.pid\nupstream: {embedded: {bind: 127.0.0.1:0}}\nlisteners: " +
		"{demo: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}}\n" +
		strings.Repeat(strings.Repeat("#", 99)+"\n", 10_000)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	g.await("Press Ctrl-C to stop")
	g.await("/dev/fd/3 is not a file: the configuration cannot be read again")
	g.await("SIGUSR1 is ignored")
}
