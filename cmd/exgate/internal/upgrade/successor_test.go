//go:build linux

package upgrade_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/upgrade"
	"github.com/exgate/exgate/runtime/listener/sockets"
)

// shell is a program that runs a script.
func shell(t *testing.T, script string) upgrade.Program {
	t.Helper()
	before := os.Args
	defer func() { os.Args = before }()
	os.Args = []string{"sh", "-c", script}
	p, err := upgrade.ThisProgram()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// opened are sockets with one at a port of 127.0.0.1, which is ready to be handed over.
func opened(t *testing.T) (net.Listener, []sockets.SocketFile) {
	t.Helper()
	s, err := sockets.New(nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.For("a").Listen(t.Context(), "tcp", "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	files, err := s.HandOver()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sockets.CloseFiles(files) })
	return l, files
}

// The new process has the pipes, the sockets and the variable, and continues when it is signalled.
func TestStart(t *testing.T) {
	said := t.TempDir() + "/said"
	if err := syscall.Mkfifo(said, 0o600); err != nil {
		t.Fatal(err)
	}
	l, files := opened(t)
	p := shell(t, `ls -l /proc/self/fd/5 >/dev/null || exit 9; printf ready >&3; exec 3>&-; cat <&4; echo `+
		`"$EXGATE_UPGRADE" >`+said)
	next, err := p.Start(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Go(); err != nil {
		t.Error(err)
	}
	got, err := os.ReadFile(said)
	if err != nil || !bytes.Contains(got, []byte(`"sockets":[{"name":"a","network":"tcp","address":"127.0.0.1:0"}]`)) {
		t.Errorf("the new process has %s, %v", got, err)
	}
	var ended syscall.WaitStatus
	if _, err := syscall.Wait4(next.PID, &ended, 0, nil); err != nil || ended.ExitStatus() != 0 {
		t.Errorf("the new process ended with %d, %v", ended.ExitStatus(), err)
	}
	assertNonblocking(t, l)
}

// assertNonblocking fails where the socket that was handed over blocks: its process could not stop accepting any
// longer.
func assertNonblocking(t *testing.T, l net.Listener) {
	t.Helper()
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	_ = l.(*net.TCPListener).SetDeadline(time.Now())
	if err := <-accepted; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestStartThatFails(t *testing.T) {
	_, files := opened(t)
	for script, want := range map[string]string{
		`printf 'no luck\n' >&3`:                 "the new process cannot take over: no luck",
		`printf ready >&3; printf ' or not' >&3`: "the new process cannot take over: ready or not",
		`exit 4`: "the new process exited before it was ready; " +
			"see its output: exit status 4",
		`kill -9 $$`: "the new process exited before it was ready; " +
			"see its output: signal: killed",
		`exec 3>&-; exec 4<&-; exec sleep 1000`: "the new process exited before it was ready; see its " +
			"output: signal: killed",
		`head -c 1000000 /dev/zero | tr '\0' x >&3 `: "the new process cannot take over: xxxx",
	} {
		_, err := shell(t, script).Start(t.Context(), files)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", script, err, want)
		}
	}
}

func TestStartThatTakesTooLong(t *testing.T) {
	_, files := opened(t)
	late, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	if _, err := shell(t, "exec sleep 1000").Start(late, files); err == nil ||
		err.Error() != "the new process was not ready in time and was killed" {
		t.Error(err)
	}
	reason := errors.New("a reason")
	interrupted, interrupt := context.WithCancelCause(t.Context())
	interrupt(reason)
	if _, err := shell(t, "exec sleep 1000").Start(interrupted, files); !errors.Is(err, reason) {
		t.Error(err)
	}
}

// A program that was started through a symbolic link is started through it again.
func TestThisProgramKeepsTheLink(t *testing.T) {
	link := t.TempDir() + "/exgate"
	if err := os.Symlink("/bin/sh", link); err != nil {
		t.Fatal(err)
	}
	before := os.Args
	defer func() { os.Args = before }()
	os.Args = []string{link}
	if p, err := upgrade.ThisProgram(); err != nil || p.String() != link {
		t.Errorf("got %s, %v", p, err)
	}
	os.Args = []string{"no-such-program"}
	self, _ := os.Executable()
	if p, err := upgrade.ThisProgram(); err != nil || p.String() != self {
		t.Errorf("got %s, %v", p, err)
	}
}
