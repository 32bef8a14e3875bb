package service_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/wasm-examples/line"
)

// terminal speaks the line protocol.
type terminal struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

// openTerminal returns a terminal that has logged in.
func openTerminal(t *testing.T, a net.Addr, login string) *terminal {
	t.Helper()
	term := greeted(t, a)
	term.says("login "+login, "ok")
	return term
}

// greeted is a terminal that has read the greeting.
func greeted(t *testing.T, a net.Addr) *terminal {
	t.Helper()
	c := dial(t, a)
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	term := &terminal{t, c, bufio.NewReader(c)}
	term.line()
	return term
}

func (t *terminal) line() string {
	t.t.Helper()
	line, err := t.lines.ReadString('\n')
	if err != nil {
		t.t.Fatalf("read %q: %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// says types a command and expects an answer that begins so.
func (t *terminal) says(command, want string) {
	t.t.Helper()
	if _, err := fmt.Fprintln(t.conn, command); err != nil {
		t.t.Fatal(err)
	}
	t.hears(want)
}

func (t *terminal) hears(want string) {
	t.t.Helper()
	if got := t.line(); !strings.HasPrefix(got, want) {
		t.t.Errorf("heard %q, want %q", got, want)
	}
}

func TestTopicsOfAListener(t *testing.T) {
	addrs := serve(t, `
  meters:
    bind: 127.0.0.1:0
    handler: {wasm: builtin:line}
    mountpoint: "${listener}/${module}/"
    publish_topics: ["${listener}/line/${clientid}/#"]
    subscribe_topics: []
  all: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}
`)
	all, meter := openTerminal(t, addrs["all"], "all"), openTerminal(t, addrs["meters"], "m7")
	all.says("sub #", "ok")
	meter.says("pub1 other/up x", "error: ")
	meter.says("sub m7/down", "error: ")
	meter.says("pub1 m7/up 21.5", "ok")
	all.hears("< meters/line/m7/up 21.5")
}

func TestTopicsOfAModulesListener(t *testing.T) {
	h := newFixture(t, "", map[string]string{
		"meter.wasm": string(line.Module),
		"meter.yaml": "listener: {bind: 127.0.0.1:0, mountpoint: '${module}/${listener}/', publish_topics: " +
			"['meter/meter/#']}\n",
		"all.wasm": string(line.Module), "all.yaml": listens,
	})
	all := openTerminal(t, h.socket("all"), "all")
	all.says("sub #", "ok")
	openTerminal(t, h.socket("meter"), "m7").says("pub1 up 21.5", "ok")
	all.hears("< meter/meter/up 21.5")
}
