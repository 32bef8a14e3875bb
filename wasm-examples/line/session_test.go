package line_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/wasm-examples/line"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs the protocol on a gateway with the embedded broker, as exgate does without a configuration.
func serve(t *testing.T) (addr string) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	broker, err := embedded.New(embedded.Config{Logger: quiet})
	must(t, err)
	engine, err := wasm.New(t.Context(), wasm.Config{Name: "line", Module: line.Module, Logger: quiet, Shards: 1})
	must(t, err)
	g := gateway.New(gateway.Config{Node: "test", Logger: quiet})
	must(t, g.SetConnector("embedded", broker))
	must(t, g.SetHandler("line", engine))
	l, err := listener.ListenTCP(t.Context(), listener.TCPConfig{Bind: "127.0.0.1:0", Logger: quiet})
	must(t, err)
	must(t, g.AddListener("demo", l, gateway.ListenerConfig{Handler: "line", Connector: "embedded"}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
		defer cancel()
		must(t, g.Shutdown(ctx))
	})
	return l.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// terminal is a person with nc.
type terminal struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, addr string) *terminal {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, c.SetDeadline(time.Now().Add(90*time.Second)))
	return &terminal{t: t, conn: c, lines: bufio.NewReader(c)}
}

func (n *terminal) write(s string) {
	n.t.Helper()
	_, err := io.WriteString(n.conn, s)
	must(n.t, err)
}

func (n *terminal) read() string {
	n.t.Helper()
	s, err := n.lines.ReadString('\n')
	must(n.t, err)
	return strings.TrimSuffix(s, "\n")
}

// expect reads lines, of which a message and an answer may have changed places.
func (n *terminal) expect(want ...string) {
	n.t.Helper()
	var got []string
	for range want {
		got = append(got, n.read())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		n.t.Errorf("got %q, want %q", got, want)
	}
}

func (n *terminal) expectEnd() {
	n.t.Helper()
	if rest, err := io.ReadAll(n.lines); err != nil || len(rest) > 0 {
		n.t.Errorf("got %q, %v, want the end", rest, err)
	}
}

// TestReadmesSession types what README.md shows.
func TestReadmesSession(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	must(t, err)
	_, rest, _ := strings.Cut(string(readme), "$ nc 127.0.0.1 7993\n")
	session, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("README.md has no session")
	}
	n := dial(t, serve(t))
	var answers []string
	for l := range strings.Lines(session) {
		l = strings.TrimSuffix(l, "\n")
		word, _, _ := strings.Cut(strings.TrimSuffix(l, ":"), " ")
		if slices.Contains([]string{"exgate", "pong", "ok", "error:", "<", "bye"}, word) {
			answers = append(answers, l)
			continue
		}
		n.expect(answers...)
		answers = nil
		n.write(l + "\n")
	}
	n.expect(answers...)
	n.expectEnd()
}

func TestKeepaliveSaysGoodbye(t *testing.T) {
	n := dial(t, serve(t))
	n.read()
	n.write("keepalive 1\n")
	n.expect("ok", "bye: keepalive timeout")
	n.expectEnd()
}

func TestOneSegmentHoldsAWholeSession(t *testing.T) {
	n := dial(t, serve(t))
	n.read()
	n.write("login bob\r\nsub a/#\r\npub1 a/1 one\r\nping\r\n")
	n.expect("ok", "ok", "ok", "pong", "< a/1 one")
	n.write("unsub a/#\nquit\n")
	n.expect("bye", "ok")
	n.expectEnd()
}

func TestTwoDevicesTalk(t *testing.T) {
	addr := serve(t)
	bob, eve := dial(t, addr), dial(t, addr)
	for name, n := range map[string]*terminal{"bob": bob, "eve": eve} {
		n.read()
		n.write("login " + name + "\nsub to/" + name + "\n")
		n.expect("ok", "ok")
	}
	bob.write("pub to/eve psst\x07\n")
	eve.expect(`< to/eve psst\x07`)
	eve.write("pub to/bob what?\n")
	bob.expect("< to/bob what?")
}

// TestHostileDevicesStayWithinTheLimits sends what costs the module most; none may end the instance, which serves other
// devices too.
func TestHostileDevicesStayWithinTheLimits(t *testing.T) {
	addr := serve(t)
	witness := dial(t, addr)
	witness.read()
	for _, input := range []string{
		strings.Repeat("\n", 200_000), strings.Repeat("x", 200_000), strings.Repeat("x\n", 100_000),
		strings.Repeat("help\n", 10_000),
		"login m\n" + strings.Repeat("pub a b\n", 20_000), "login m\n" + strings.Repeat("x", 200_000),
		"login m\nsub #\n" + strings.Repeat("pub1 a "+strings.Repeat("\x01", 900)+"\n", 100),
		strings.Repeat("login\n", 10_000),
	} {
		hostile := dial(t, addr)
		go io.Copy(io.Discard, hostile.conn)
		io.WriteString(hostile.conn, input+"\nquit\n") // may be closed meanwhile
		witness.write("ping\n")
		witness.expect("pong")
	}
}
