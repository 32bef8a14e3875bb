package service_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/service"
	"github.com/exgate/exgate/proto/examples/go/jsonecho"
	handler "github.com/exgate/exgate/proto/sdk/go"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/wasm-examples/line"
)

// tapped is a service whose listeners are watched.
type tapped struct {
	*service.Service
	t       *testing.T
	folder  string // of captures
	stopped bool
}

func startTapped(t *testing.T, text string) *tapped {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "captures")
	text = "metrics: {bind: 127.0.0.1:0}\nupstream: {embedded: {bind: 127.0.0.1:0}}\n" +
		strings.ReplaceAll(text, "FOLDER", folder)
	s, err := service.Start(t.Context(), configured(t, text), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g := &tapped{Service: s, t: t, folder: folder}
	t.Cleanup(g.stop)
	return g
}

func (g *tapped) stop() {
	if g.stopped {
		return
	}
	g.stopped = true
	if err := g.Stop(g.t.Context()); err != nil {
		g.t.Error(err)
	}
}

func (g *tapped) address(name string) string {
	for _, s := range g.Sockets() {
		if s.Name == name {
			return s.Addr.String()
		}
	}
	g.t.Fatalf("no socket is called %s", name)
	return ""
}

// metrics are the lines of the page that begin with prefix.
func (g *tapped) metrics(prefix string) string {
	g.t.Helper()
	r, err := http.Get("http://" + g.address("metrics") + "/metrics")
	if err != nil {
		g.t.Fatal(err)
	}
	defer r.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var found []string
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), prefix) {
			found = append(found, strings.TrimPrefix(lines.Text(), prefix))
		}
	}
	return strings.Join(found, "\n")
}

// captured is the text of the only capture.
func (g *tapped) captured() string {
	g.t.Helper()
	files, err := filepath.Glob(filepath.Join(g.folder, "*.exgc"))
	if err != nil || len(files) != 1 {
		g.t.Fatalf("captures %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
}

// dial connects a device that must be served in time.
func (g *tapped) dial(listener string) net.Conn {
	g.t.Helper()
	c, err := net.Dial("tcp", g.address(listener))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(90 * time.Second))
	return c
}

// talkLine is a device of the line protocol that logs in with a password.
func (g *tapped) talkLine(listener string) {
	g.t.Helper()
	c := g.dial(listener)
	if _, err := io.WriteString(c, "login bob bob hunter2-s3cret\nping\nquit\n"); err != nil {
		g.t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || !bytes.HasSuffix(answer, []byte("ok\npong\nbye\n")) {
		g.t.Fatalf("got %q, %v", answer, err)
	}
}

func TestListenerWithCaptureAndShadow(t *testing.T) {
	g := startTapped(t, `
listeners:
  line:
    bind: 127.0.0.1:0
    handler: {wasm: "builtin:line", shadow: {wasm: "builtin:line", sample: 100%}}
    capture: {folder: FOLDER, sample: 100%}
  plain: {bind: 127.0.0.1:0, handler: {wasm: "builtin:line"}}
`)
	g.talkLine("line")
	g.talkLine("plain")
	if got := g.metrics("exgate_shadow_connections_total"); got != `{handler="line"} 1` {
		t.Errorf("shadows: %s", got)
	}
	if _, err := g.Point("other"); err == nil ||
		err.Error() != `unknown listener "other"; the listeners are line, plain` {
		t.Error(err)
	}
	g.stop()
	text := g.captured()
	if strings.Contains(text, "hunter2") || !strings.Contains(text, `"source":"wasm builtin:line"`) ||
		!strings.Contains(text, `login bob bob **************\n`) {
		t.Errorf("captured\n%s", text)
	}
}

// The settings of the listener are those of a module of the folder, whose versions come and go.
func TestModuleWithShadowModule(t *testing.T) {
	modules := t.TempDir()
	for name, greeting := range map[string]string{"live": "", "next": "config: hi\n"} {
		for file, data := range map[string][]byte{name + ".wasm": line.Module, name + ".yaml": []byte(greeting)} {
			if err := os.WriteFile(filepath.Join(modules, file), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	g := startTapped(t, fmt.Sprintf(`
modules: %s
listeners:
  line: {bind: 127.0.0.1:0, handler: {module: live, shadow: {module: next}}, capture: {folder: FOLDER, sample: 100%%}}
`, modules))
	g.talkLine("line")
	gatewaytest.Eventually(t, "the difference is counted", func() bool {
		return g.metrics("exgate_shadow_differences_total") == `{handler="line",kind="send"} 1`
	})
	g.stop()
	digest := fmt.Sprintf(`"module":"%x"`, sha256.Sum256(line.Module))
	if text := g.captured(); !strings.Contains(text, `"source":"module live"`) || !strings.Contains(text, digest) {
		t.Errorf("captured\n%s", text)
	}
}

// A module shadows a handler that is a gRPC service, and what that does is captured.
func TestServiceWithShadow(t *testing.T) {
	adapter, served := gatewaytest.FreeAddress(t), make(chan error, 1)
	server, err := handler.New(handler.Config{Adapter: adapter, New: jsonecho.NewHandler})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { served <- server.Serve(l) }()
	module, err := filepath.Abs("../../../../wasm-examples/jsonecho/jsonecho.wasm")
	if err != nil {
		t.Fatal(err)
	}
	g := startTapped(t, fmt.Sprintf(`
adapter: {bind: %s}
listeners:
  json:
    bind: 127.0.0.1:0
    handler: {grpc: %s, dialect: unary, shadow: {wasm: %s}, limits: {memory_pages: 1024, fuel: 10000000}}
    capture: {folder: FOLDER, sample: 100%%}
`, adapter, l.Addr(), module))
	for i := range 5 {
		g.talkJSON(i)
	}
	g.stop()
	if text := g.captured(); strings.Contains(text, "hunter2") || strings.Count(text, `"call":"authenticate"`) != 5 ||
		strings.Count(text, `"event":"closed"`) != 5 {
		t.Errorf("captured\n%s", text)
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	<-served
}

// talkJSON is a device of the JSON echo protocol.
func (g *tapped) talkJSON(n int) {
	g.t.Helper()
	c := g.dial("json")
	answers := json.NewDecoder(c)
	ask := func(frame, want string) {
		g.t.Helper()
		if _, err := io.WriteString(c, frame); err != nil {
			g.t.Fatal(err)
		}
		var answer json.RawMessage
		if err := answers.Decode(&answer); err != nil || !strings.Contains(string(answer), want) {
			g.t.Fatalf("got %s, %v, want %s", answer, err, want)
		}
	}
	ask(fmt.Sprintf(`{"type":1,"clientinfo":{"clientid":"c%d"},"password":"hunter2"}`, n), `"type":2,"code":0`)
	ask(`{"type":3,"topic":"a","qos":1,"payload":"x"}`, `"type":4,"code":0`)
	ask(`{"type":5,"topic":"b","qos":1}`, `"type":6,"code":0`)
	_, _ = io.WriteString(c, `{"type":9}`)
	_, _ = io.Copy(io.Discard, c)
	gatewaytest.Eventually(g.t, "the shadow has ended", func() bool { return g.Connections() == 0 })
	if got := g.metrics("exgate_shadow_differences_total"); got != "" {
		g.t.Errorf("differences %s", got)
	}
}
