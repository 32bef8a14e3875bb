package service_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/sockets"
	"github.com/exgate/exgate/wasm-examples/line"
)

// live is a service whose configuration is changed while it runs.
type live struct {
	t      *testing.T
	folder string
	*service.Service
}

// goLive starts a service with the embedded broker and the listeners of text, in which FOLDER is a folder.
func goLive(t *testing.T, text string) *live {
	t.Helper()
	l := &live{t: t, folder: t.TempDir()}
	all, err := sockets.New(nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.Service, err = service.TakeOver(t.Context(), l.load(text), slog.New(slog.DiscardHandler),
		service.Succession{Sockets: all})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := l.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *live) load(text string) *config.Config {
	l.t.Helper()
	file := filepath.Join(l.folder, "exgate.yaml")
	text = "upstream: {embedded: {bind: 127.0.0.1:0}}\n" + strings.ReplaceAll(text, "FOLDER", l.folder)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	cache := "EXGATE_MODULES_CACHE=" + l.folder + "/cache"
	cfg, err := config.Load(config.Sources{File: file, Environ: []string{cache}})
	if err != nil {
		l.t.Fatal(err)
	}
	return cfg
}

// change applies another configuration and returns the plan, a line for each change.
func (l *live) change(text string) string {
	l.t.Helper()
	plan, err := l.Plan(l.load(text))
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.Apply(l.t.Context(), plan); err != nil {
		l.t.Fatal(err)
	}
	return describe(plan)
}

func describe(p service.Plan) string {
	var lines []string
	for _, c := range p.Changes {
		lines = append(lines, c.String())
	}
	return strings.Join(lines, "\n")
}

func (l *live) addr(name string) net.Addr {
	l.t.Helper()
	for _, socket := range l.Sockets() {
		if socket.Name == name {
			return socket.Addr
		}
	}
	l.t.Fatalf("no socket %s", name)
	return nil
}

// device connects to a listener of the line protocol.
func (l *live) device(name string) *talker {
	l.t.Helper()
	return newTalker(l.t, dial(l.t, l.addr(name)), "exgate line protocol")
}

func newTalker(t *testing.T, c net.Conn, greeting string) *talker {
	t.Helper()
	t.Cleanup(func() { _ = c.Close() })
	d := &talker{Conn: c, lines: bufio.NewScanner(c), told: true} // a drain is an answer like any other
	d.want(t, "", greeting+". Type login <clientid>, then sub <filter> or pub <topic> <text>; help tells more.")
	return d
}

// want is exchange, and ends the test if it fails.
func (d *talker) want(t *testing.T, command string, answers ...string) {
	t.Helper()
	if d.exchange(command, answers...); d.err != nil {
		t.Fatalf("after %q: %v", command, d.err)
	}
}

func (d *talker) wantEnd(t *testing.T) {
	t.Helper()
	_ = d.SetDeadline(time.Now().Add(patience))
	for d.lines.Scan() {
	}
	if os.IsTimeout(d.lines.Err()) {
		t.Fatal("the connection does not end")
	}
}

// ask sends a datagram until the answer comes.
func ask(t *testing.T, c net.Conn, text, want string) {
	t.Helper()
	answer := make([]byte, 1500)
	gatewaytest.Eventually(t, want, func() bool {
		_, _ = io.WriteString(c, text)
		for {
			_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			n, err := c.Read(answer)
			if err != nil || strings.Contains(string(answer[:n]), want) {
				return err == nil
			}
		}
	})
}

const steady = "  steady: {bind: 127.0.0.1:0, handler: {wasm: builtin:line, config: hello}}\n"

// TestReload changes everything about other listeners while devices talk at one. None of them loses anything, and each
// change has the effect that the plan says.
func TestReload(t *testing.T) {
	size := 1000
	if raceEnabled || testing.Short() {
		size = 100
	}
	l := goLive(t, "listeners:\n"+steady)
	cert, key := certtest.Files(t, l.folder)
	f := &fleet{address: l.addr("steady"), stop: make(chan struct{})}
	f.add(size)
	steadyAddr := l.addr("steady").String()
	step := func(text, plan string) {
		t.Helper()
		if got := l.change("listeners:\n" + steady + text); got != plan {
			t.Fatalf("the plan is\n%s\nnot\n%s", got, plan)
		}
		if got := l.addr("steady").String(); got != steadyAddr {
			t.Fatalf("steady moved to %s", got)
		}
		if got := l.change("listeners:\n" + steady + text); got != "" {
			t.Fatalf("the same configuration again changes %s", got)
		}
	}

	step("  a: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}\n", "+ listener a")
	old := l.device("a")
	old.want(t, "login old", "ok")
	old.want(t, "sub t", "ok")

	step("  a: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}, mountpoint: m/}\n",
		"~ listener a: mountpoint: for new connections; 1 connected device keeps the old settings until it reconnects")
	mounted := l.device("a")
	mounted.want(t, "login mounted", "ok")
	mounted.want(t, "sub t", "ok")
	mounted.want(t, "pub t mounted", "< t mounted")
	old.want(t, "pub t unmounted\npub m/t both", "< t unmounted")
	mounted.want(t, "", "< t both")

	step("  a: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}, max_connections: 2, access: {rules: [allow all]}}\n",
		"~ listener a: access.rules, max_connections, mountpoint: for new connections; 2 connected devices keep the "+
			"old settings until they reconnect")
	expectRefused(t, l.addr("a"), "login x\n")
	step("  a: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}, access: {rules: [deny 127.0.0.1]}}\n",
		"~ listener a: access.rules, max_connections: for new connections; 2 connected devices keep the old settings "+
			"until they reconnect")
	expectRefused(t, l.addr("a"), "login x\n")

	before := l.addr("a").String()
	step(fmt.Sprintf("  a: {type: tls, bind: 127.0.0.1:0, tls: {cert: %s, key: %s}, handler: {wasm: builtin:line}}\n",
		cert, key),
		"~ listener a: access.rules, tls.cert, tls.key, type: the socket is set up again; 2 connected devices keep "+
			"the old settings until they reconnect")
	if got := l.addr("a").String(); got != before {
		t.Fatalf("a listens at %s and not at %s any more", got, before)
	}
	secure := newTalker(t, dialTLS(t, l.addr("a"), cert), "exgate line protocol")
	secure.want(t, "login secure", "ok")
	old.want(t, "ping", "pong")

	write := func(module []byte) {
		if err := os.WriteFile(filepath.Join(l.folder, "line.wasm"), module, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(line.Module)
	own := "  b: {bind: 127.0.0.1:0, handler: {wasm: FOLDER/line.wasm, config: first}}\n"
	step(own, "- listener a: 3 connected devices must reconnect\n+ listener b")
	for _, d := range []*talker{old, mounted, secure} {
		d.wantEnd(t)
	}
	first := newTalker(t, dial(t, l.addr("b")), "first")
	write(lineVersion("second"))
	step(own, "~ listener b: handler (its files): for new connections; 1 connected device keeps the old settings "+
		"until it reconnects")
	first.want(t, "ping", "notice: please reconnect soon", "pong")
	first.want(t, "quit", "bye")

	udp := "  u: {type: udp, bind: 127.0.0.1:0, handler: {wasm: builtin:line}%s}\n"
	step(fmt.Sprintf(udp, ""), "- listener b: no device is connected\n+ listener u")
	u := dial(t, l.addr("u"))
	defer u.Close()
	ask(t, u, "ping\n", "pong")
	at := l.addr("u").String()
	step(fmt.Sprintf(udp, ", udp: {queue: 8}"),
		"~ listener u: udp.queue: the socket is set up again; 1 connected device must reconnect")
	if got := l.addr("u").String(); got != at {
		t.Fatalf("u listens at %s and not at %s any more", got, at)
	}
	ask(t, u, "ping\n", "pong")

	if got := l.change("log: {level: debug}\nmax_connections: 100000\nlisteners:\n" + steady); got !=
		"~ log.level, max_connections\n- listener u: 1 connected device must reconnect" {
		t.Errorf("the plan is\n%s", got)
	}
	close(f.stop)
	f.devices.Wait()
	if f.failed != nil {
		t.Fatal(f.failed)
	}
	t.Logf("%d devices, %d messages", size, f.messages.Load())
}

// TestReloadThatFails changes nothing if a part of the new configuration cannot be had.
func TestReloadThatFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	unix := "  u: {bind: unix:FOLDER/u.sock, handler: {wasm: builtin:line}%s}\n"
	l := goLive(t, "listeners:\n"+steady+fmt.Sprintf(unix, ""))
	d := newTalker(t, dial(t, l.addr("steady")), "hello")
	d.want(t, "login d", "ok")
	sockets := fmt.Sprint(l.Sockets())
	for name, c := range map[string]struct{ text, want string }{
		"a port in use": {
			"  b: {bind: " + taken.Addr().String() + ", handler: {wasm: builtin:line}}\n" +
				fmt.Sprintf(unix, ", socket: {backlog: 9}"),
			"exgate.yaml:3: listeners.b.bind: " + taken.Addr().String() + " is in use",
		},
		"a module that does not start": {
			"  b: {bind: 127.0.0.1:0, handler: {wasm: builtin:line, limits: {start_fuel: 1}}}\n",
			"listeners.b.handler.wasm",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			plan, err := l.Plan(l.load("listeners:\n" + c.text))
			if err == nil {
				err = l.Apply(t.Context(), plan)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v does not say %q", err, c.want)
			}
			if got := fmt.Sprint(l.Sockets()); got != sockets {
				t.Errorf("the sockets are %s and were %s", got, sockets)
			}
			d.want(t, "ping", "pong")
			for name, greeting := range map[string]string{"steady": "hello", "u": "exgate line protocol"} {
				again := newTalker(t, dial(t, l.addr(name)), greeting)
				again.want(t, "login again", "ok")
				again.want(t, "quit", "bye")
			}
		})
	}
	for text, want := range map[string]string{
		"node: other\nlisteners:\n" + steady:                  "exgate.yaml:2: node: cannot change while",
		"adapter: {bind: 127.0.0.1:1}\nlisteners:\n" + steady: "exgate.yaml:2: adapter.bind: cannot change",
	} {
		if _, err := l.Plan(l.load(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// TestReloadMovesSockets gives the addresses of listeners to others, without a moment at which nobody listens.
func TestReloadMovesSockets(t *testing.T) {
	one, two := gatewaytest.FreeAddress(t), gatewaytest.FreeAddress(t)
	listener := func(name, bind string) string {
		return fmt.Sprintf("  %s: {bind: %q, handler: {wasm: builtin:line}, mountpoint: %s/}\n", name, bind, name)
	}
	l := goLive(t, "listeners:\n"+listener("a", one)+listener("b", two)+listener("u", "unix:FOLDER/u.sock"))
	stop := make(chan struct{})
	done := make(chan error)
	go func() { done <- knock(stop, one, two) }()
	l.change("listeners:\n" + listener("a", two) + listener("b", one) + listener("v", "unix:FOLDER/u.sock"))
	for name, want := range map[string]string{"a": two, "b": one, "v": filepath.Join(l.folder, "u.sock")} {
		if got := l.addr(name).String(); got != want {
			t.Errorf("%s listens at %s, not %s", name, got, want)
		}
		d := l.device(name)
		d.want(t, "login d", "ok")
		d.want(t, "quit", "bye")
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
	l.change("listeners:\n" + listener("a", one))
	if _, err := os.Stat(filepath.Join(l.folder, "u.sock")); err == nil {
		t.Error("the path of the closed unix socket is left")
	}
}

func dialTLS(t *testing.T, a net.Addr, cert string) net.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", a.String(), &tls.Config{RootCAs: certtest.Pool(t, cert)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// knock connects all the time, and expects that each address accepts.
func knock(stop <-chan struct{}, addresses ...string) error {
	for {
		for _, address := range addresses {
			c, err := net.DialTimeout("tcp", address, patience)
			if err != nil {
				return err
			}
			_ = c.Close()
		}
		select {
		case <-stop:
			return nil
		case <-time.After(time.Millisecond):
		}
	}
}

// TestReloadEqualsStart applies random configurations one after another. Each time the service is in the state of one
// that was started with that configuration.
func TestReloadEqualsStart(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	binds := make([]string, 3)
	for i := range binds {
		binds[i] = gatewaytest.FreeAddress(t)
	}
	l := goLive(t, randomListeners(random, binds))
	for range 15 {
		text := randomListeners(random, binds)
		l.change(text)
		got := l.State()
		other := strings.NewReplacer(binds[0], "127.0.0.1:0", binds[1], "127.0.0.1:0", binds[2], "127.0.0.1:0")
		fresh := goLive(t, other.Replace(text))
		want := fresh.State()
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("after %s\nthe state is\n%s\nnot\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if err := fresh.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// randomListeners returns some listeners with random settings.
func randomListeners(random *rand.Rand, binds []string) string {
	binds = slices.Clone(binds)
	random.Shuffle(len(binds), func(i, j int) { binds[i], binds[j] = binds[j], binds[i] })
	text := "listeners:\n"
	for i, name := range []string{"a", "b", "c"}[:1+random.IntN(3)] {
		text += fmt.Sprintf("  %s:\n    bind: %s\n    handler: {wasm: builtin:line, config: hello %d}\n", name,
			binds[i], random.IntN(2))
		for _, setting := range []string{
			"type: udp", "mountpoint: m/", "max_connections: 5", "connection_rate: 7", "limits: {inbox_messages: 9}",
			"publish_topics: [a/#]", "access: {rules: [deny 192.0.2.0/24]}", "ban: {failures: 3}", "idle_timeout: 1m",
			"max_connections_per_source: 2", "listener_bytes_per_second: 1000", "socket: {recv_buffer: 64KiB}",
		} {
			if random.IntN(3) == 0 {
				text += "    " + setting + "\n"
			}
		}
	}
	return text
}

// TestReloadWithTheFirstHandlerService starts what gRPC handlers need, and only then.
func TestReloadWithTheFirstHandlerService(t *testing.T) {
	adapter := "adapter: {bind: 127.0.0.1:0}\nlisteners:\n"
	l := goLive(t, adapter+steady)
	if got := l.change(adapter + steady + "  g: {bind: 127.0.0.1:0, handler: {grpc: 127.0.0.1:1}}\n"); got !=
		"+ listener g" {
		t.Errorf("the plan is %s", got)
	}
	l.addr("adapter")
	conn := dial(t, l.addr("g"))
	defer conn.Close()
	if got := l.change(adapter + "  steady: {bind: 127.0.0.1:0, handler: {grpc: 127.0.0.1:1}}\n" +
		"  g: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}\n"); !strings.Contains(got, "handler.grpc") {
		t.Errorf("the plan is %s", got)
	}
	d := l.device("g")
	d.want(t, "login d", "ok")
}

// TestReloadCountsWhoStays: devices that stayed when the listener had another type do not end with its next socket.
func TestReloadCountsWhoStays(t *testing.T) {
	l := goLive(t, "listeners:\n  a: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}\n")
	d := l.device("a")
	d.want(t, "login d", "ok")
	udp := "listeners:\n  a: {type: udp, bind: 127.0.0.1:0, handler: {wasm: builtin:line}%s}\n"
	l.change(fmt.Sprintf(udp, ""))
	if got := l.change(fmt.Sprintf(udp, ", udp: {queue: 8}")); !strings.HasSuffix(got, "no device is connected") {
		t.Errorf("the plan is %s", got)
	}
	d.want(t, "ping", "pong")
}
