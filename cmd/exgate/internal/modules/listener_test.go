package modules

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// device is a connection to an echo module.
type device struct {
	net.Conn
	t *testing.T
}

func (h *fixture) dial(module string) device {
	h.t.Helper()
	s := h.status(module, "listens", func(s Status) bool { return s.Listener != nil })
	c, err := net.Dial("tcp", s.Listener.String())
	must(h.t, err)
	h.t.Cleanup(func() { _ = c.Close() })
	must(h.t, c.SetDeadline(time.Now().Add(patienceOfTests)))
	d := device{c, h.t}
	d.echo("xello")
	return d
}

func (d device) echo(text string) {
	d.t.Helper()
	_, err := io.WriteString(d, text)
	must(d.t, err)
	got := make([]byte, len(text))
	if _, err := io.ReadFull(d, got); err != nil || string(got) != text {
		d.t.Fatalf("got %q, %v; want %q", got, err, text)
	}
}

const anyPort = "listener: {bind: 127.0.0.1:0, %s}\n"

func TestListenerOfAModule(t *testing.T) {
	h := newFixture(t, map[string][]byte{"m.wasm": guest(t, "echo")})
	h.write("m.yaml", []byte(fmt.Sprintf(anyPort, "idle_timeout: 1m")))
	stays := h.dial("m")
	first := h.state("m", Loaded).Listener.String()
	h.write("m.yaml", []byte(fmt.Sprintf(anyPort, "idle_timeout: 2m")))
	h.status("m", "listens elsewhere", func(s Status) bool { return s.Listener != nil && s.Listener.String() != first })
	h.dial("m")
	stays.echo("I stay")
	must(t, os.Remove(h.file("m.yaml")))
	h.status("m", "is deaf", func(s Status) bool { return s.State == Loaded && s.Listener == nil })
	stays.echo("still here")
}

func TestListenerWithMistakes(t *testing.T) {
	h := newFixture(t, map[string][]byte{"m.wasm": guest(t, "echo")})
	h.write("m.yaml", []byte("\nlistener:\n  type: tls\n  bind: 127.0.0.1:0\n  handler: {wasm: x}\n  socket: "+
		"{nodly: true}\n"))
	s := h.state("m", Rejected)
	for _, want := range []string{
		"m.yaml:5: listener.handler: is not allowed here: the module is the handler",
		`m.yaml:6: listener.socket.nodly: unknown key, did you mean "nodelay"?`,
	} {
		if !strings.Contains(s.Reason, want) {
			t.Errorf("no %q in\n%s", want, s.Reason)
		}
	}
	h.write("m.yaml", []byte("listener:\n  type: tls\n  bind: 127.0.0.1:0\n"))
	h.status("m", "has no certificate", func(s Status) bool {
		return strings.Contains(s.Reason, "m.yaml:2: listener: needs tls.cert and tls.key")
	})
}

// A version that faults is rolled back, and its file is reported as such until it changes.
func TestGuardOfAFile(t *testing.T) {
	a, b := variant(t, "hostile", "a"), variant(t, "hostile", "b")
	settings := "listener: {bind: 127.0.0.1:0}\nisolation: connection\nguard: {min_connections: 3, fault_percent: 50}\n"
	h := newFixture(t, map[string][]byte{"m.wasm": a, "m.yaml": []byte(settings)})
	stays := h.dial("m")
	h.replace("m.wasm", b)
	h.serves("m", b)
	for range 3 {
		d := h.dial("m")
		_, err := io.WriteString(d, "t")
		must(t, err)
		_, _ = io.Copy(io.Discard, d)
	}
	s := h.state("m", RolledBack)
	if v := s.Module.Versions[0]; v.Digest != digest(a) || v.State != "serving" || s.Digest != digest(b) ||
		!strings.Contains(s.Reason, " of 3 connections ended by a fault of the guest") {
		t.Errorf("%+v", s)
	}
	h.dial("m")
	stays.echo("still here")
	h.write("m.wasm", b) // again
	h.serves("m", b)
}

// A port in use is retried; the previous listener is kept.
func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = taken.Close() }()
	inUse := []byte("listener: {bind: '" + taken.Addr().String() + "'}\n")
	h := newFixture(t, map[string][]byte{
		"new.wasm": guest(t, "echo"), "new.yaml": inUse, "old.wasm": guest(t, "echo"),
		"old.yaml": []byte(fmt.Sprintf(anyPort, "")),
	})
	if s := h.state("new", Rejected); !strings.Contains(s.Reason, "address already in use") ||
		len(s.Module.Versions) != 1 {
		t.Errorf("%+v", s)
	}
	h.write("old.yaml", inUse)
	h.state("old", Rejected)
	h.dial("old")
	must(t, taken.Close())
	h.state("new", Loaded)
	h.dial("new")
}
