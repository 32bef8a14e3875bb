//go:build linux

package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/control"
)

// stand is a control socket of this process whose requests the test answers.
type stand struct {
	*control.Server
	requests chan *control.Request
}

// listen opens the control socket of this process.
func listen(t *testing.T) stand {
	t.Helper()
	s := stand{requests: make(chan *control.Request)}
	var err error
	s.Server, err = control.Listen(slog.New(slog.DiscardHandler), map[string]control.Handler{
		"upgrade": func(r *control.Request) {
			select {
			case s.requests <- r:
			case <-r.Context().Done():
				r.Failed(control.ErrStopping)
			}
		},
		"echo": echo,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// echo sends its argument back until the asking is interrupted.
func echo(r *control.Request) {
	var args struct{ Text string }
	if err := r.Args(&args); err != nil {
		r.Failed(err)
		return
	}
	if _, err := r.Write([]byte(args.Text)); err != nil {
		r.Failed(err)
		return
	}
	<-r.Context().Done()
	_, _ = r.Write([]byte("!"))
	r.Done("interrupted")
}

type outcome struct {
	text  string
	steps []string
	err   error
}

func ask(ctx context.Context) <-chan outcome {
	answered := make(chan outcome, 1)
	go func() {
		var o outcome
		o.text, o.err = control.Ask(ctx, os.Getpid(), "upgrade", nil,
			control.Answers{Progress: func(step string) { o.steps = append(o.steps, step) }})
		answered <- o
	}()
	return answered
}

func TestAskAndAnswer(t *testing.T) {
	c := listen(t)
	defer c.Close()
	answered := ask(t.Context())
	request := <-c.requests
	request.Progress("one")
	request.Progress("two")
	request.Done("three")
	if o := <-answered; o.err != nil || o.text != "three" || fmt.Sprint(o.steps) != "[one two]" {
		t.Errorf("got %+v", o)
	}

	answered = ask(t.Context())
	(<-c.requests).Failed(errors.New("two\nlines"))
	if o := <-answered; o.err == nil || o.err.Error() != "two\nlines" {
		t.Errorf("got %+v", o)
	}
}

// Arguments go there and data come back, also of an asking that is interrupted.
func TestData(t *testing.T) {
	c := listen(t)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	text, got := strings.Repeat("text", 100_000), 0
	var last []byte
	outcome, err := control.Ask(ctx, os.Getpid(), "echo", map[string]string{"Text": "x"},
		control.Answers{Patient: true, Data: func(b []byte) error {
			got, last = got+len(b), b
			cancel()
			return nil
		}})
	if err != nil || outcome != "interrupted" || got != 2 || string(last) != "!" {
		t.Errorf("%s, %v, %d bytes", outcome, err, got)
	}
	if _, err := control.Ask(t.Context(), os.Getpid(), "echo", map[string]string{"Text": text},
		control.Answers{}); err == nil {
		t.Error("a long request was taken")
	}
	failed := errors.New("the disk is full")
	_, err = control.Ask(t.Context(), os.Getpid(), "echo", map[string]string{"Text": "x"},
		control.Answers{Data: func([]byte) error { return failed }})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
}

func TestAskingIsInterrupted(t *testing.T) {
	c := listen(t)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	answered := ask(ctx)
	request := <-c.requests
	cancel()
	if o := <-answered; o.err == nil {
		t.Errorf("got %+v", o)
	}
	request.Done("nobody hears it")
}

// A gateway that stops answers the requests that still wait.
func TestControlThatCloses(t *testing.T) {
	c := listen(t)
	conn := dialControl(t)
	if _, err := io.WriteString(conn, "upgrade\n"); err != nil {
		t.Fatal(err)
	}
	silent := dialControl(t) // says nothing, and does not hold Close up
	c.Close()
	if b, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) || len(b) > 0 &&
		!strings.Contains(string(b), "the gateway is stopping") {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("a connection was left")
	}
	if _, err := control.Ask(t.Context(), os.Getpid(), "upgrade", nil, control.Answers{}); err == nil ||
		!strings.Contains(err.Error(), "is not a running exgate gateway") {
		t.Error(err)
	}
}

func dialControl(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", fmt.Sprintf("@exgate/%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(90 * time.Second))
	return conn
}

// Any other input is cut off, and is not a request.
func TestControlRefusesOtherWords(t *testing.T) {
	c := listen(t)
	defer c.Close()
	for _, text := range []string{"upgrade?\n", "upgrad\n\n", "\n", "upgrade {\n", strings.Repeat("x", 10_000)} {
		conn := dialControl(t)
		_, _ = io.WriteString(conn, text)
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q: read %d, %v", text, n, err)
		}
	}
	select {
	case <-c.requests:
		t.Error("a request was made of it")
	default:
	}
}

// Another process that took the name of a process is found out.
func TestNameTakenByAnotherProcess(t *testing.T) {
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	pid := other.Process.Pid
	if _, err := control.Ask(t.Context(), pid, "upgrade", nil, control.Answers{}); err == nil ||
		!strings.HasPrefix(err.Error(), fmt.Sprintf("process %d is not a running exgate", pid)) {
		t.Error(err)
	}
	l, err := net.Listen("unix", fmt.Sprintf("@exgate/%d", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = control.Ask(t.Context(), pid, "upgrade", nil, control.Answers{})
	if err == nil || err.Error() != fmt.Sprintf("process %d answers in place of process %d", os.Getpid(), pid) {
		t.Error(err)
	}
}

// asNobody runs f as a user that is not root.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	if err := syscall.Setresuid(65534, 65534, 0); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setresuid(0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

func TestProcessOfAnotherUser(t *testing.T) {
	asNobody(t, func() {
		if _, err := control.Ask(t.Context(), 1, "upgrade", nil, control.Answers{}); err == nil ||
			err.Error() != "process 1 belongs to another user: upgrade it as that user or as root" {
			t.Error(err)
		}
	})
}

func TestOtherUsersMayNotAsk(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can be somebody else
	}
	c := listen(t)
	defer c.Close()
	asNobody(t, func() {
		if outcome, err := control.Ask(t.Context(), os.Getpid(), "upgrade", nil, control.Answers{}); err == nil {
			t.Errorf("answered %q", outcome)
		}
	})
	select {
	case <-c.requests:
		t.Error("a request was made")
	default:
	}
}
