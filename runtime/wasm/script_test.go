package wasm_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi/sdk/script"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/handlertest"
	"github.com/exgate/exgate/runtime/wasm"
)

// scriptModule makes the module of a script.
func scriptModule(t *testing.T, name, source string) []byte {
	t.Helper()
	m, err := script.Script{Name: name, Source: []byte(source)}.Module()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// testScript is scriptModule for one of package script's tests.
func testScript(t *testing.T, name string) []byte {
	t.Helper()
	source, err := os.ReadFile("../../hostabi/sdk/script/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return scriptModule(t, name, string(source))
}

func scriptEngine(t *testing.T, c wasm.Config) *wasm.Engine {
	t.Helper()
	c.Name, c.Shards = "script", 1
	e, err := wasm.New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// TestHandlerSuiteInJavaScript plays what every kind of handler must do, with a script.
func TestHandlerSuiteInJavaScript(t *testing.T) {
	for _, isolation := range []wasm.Isolation{wasm.IsolationShared, wasm.IsolationConnection} {
		t.Run(string(isolation), func(t *testing.T) {
			e := scriptEngine(t, wasm.Config{Module: testScript(t, "jsonecho.js"), Isolation: isolation})
			handlertest.Run(t, "JavaScript", func(*testing.T) gateway.HandlerFactory { return shared{e} })
		})
	}
}

// TestScriptsStartFromAnImage: an instance of a script for each connection must not run the script again.
func TestScriptsStartFromAnImage(t *testing.T) {
	e := scriptEngine(t, wasm.Config{Module: testScript(t, "jsonecho.js"), Isolation: wasm.IsolationConnection})
	if ok, why := e.StartImage(); !ok {
		t.Errorf("no start image: %s", why)
	}
}

// A script that does not load is refused with its file and line.
func TestScriptsThatDoNotLoad(t *testing.T) {
	for source, want := range map[string]string{
		"function onBytes() {\n  let a = ;\n}": "meter.js:2:11: SyntaxError: unexpected token in expression: ';'",
		"\nfor (;;) {}":                        "meter.js:",
		"config.port.number;":                  "meter.js:1:1: TypeError: cannot read property 'port' of undefined",
	} {
		_, err := wasm.New(context.Background(), wasm.Config{
			Name: "meter", Module: scriptModule(t, "meter.js", source), Logger: slog.New(slog.DiscardHandler),
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", source, err, want)
		}
	}
}

// hostileScript has a fault for each first line of a device.
const hostileScript = `const framing = 'lines';
const kept = [];
function deep(n) { return deep(n + 1) + 1; }
function onFrame(conn, frame) {
  const word = text(frame);
  if (word === 'loop') for (;;) {}
  if (word === 'catch') for (;;) try { for (;;) {} } catch (e) {}
  if (word === 'deep') deep(0);
  if (word === 'bomb') for (;;) kept.push(new Uint8Array(1000000));
  if (word === 'regexp') /^(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab');
  if (word === 'type') conn.missing.member();
  if (word === 'throw') throw 'a string';
  if (word === 'promise') Promise.reject(new Error('lost'));
  if (word === 'jobs') { const again = () => Promise.resolve().then(again); again(); }
  if (word === 'native') for (;;) 'x'.repeat(100000).indexOf('y');
  if (word === 'json') { let s = '['; while (s.length < 1e6) s += s; JSON.parse(s); }
  if (word === 'proto') {
    Object.prototype.then = 1; Array.prototype[0] = 5; Uint8Array.prototype.constructor = null;
    delete globalThis.JSON; Object.getPrototypeOf(conn).send = null;
    Object.defineProperty(Object.prototype, 'qos', { get() { throw new Error('qos'); } });
  }
  conn.send('ok');
}
`

// TestHostileScripts: what goes wrong in a script ends the connection with the place of the error, or, if nothing of
// the script can go on, its instance; the next device is served.
func TestHostileScripts(t *testing.T) {
	for word, want := range map[string]struct {
		reason gateway.CloseReason
		text   string
	}{
		"loop":    {gateway.ReasonGuestFailed, "hostile.js:6:16: it takes too long (limit fuel)"},
		"catch":   {gateway.ReasonGuestFailed, "hostile.js:7:"},
		"deep":    {gateway.ReasonGuestFailed, "hostile.js:3:36: RangeError: Maximum call stack size exceeded"},
		"bomb":    {gateway.ReasonGuestMemory, ""},
		"regexp":  {gateway.ReasonGuestFailed, "hostile.js:10:36: it takes too long (limit fuel)"},
		"type":    {gateway.ReasonGuestFailed, "hostile.js:11:24: TypeError"},
		"throw":   {gateway.ReasonGuestFailed, "hostile.js: a string"},
		"promise": {gateway.ReasonGuestFailed, "hostile.js:13:"},
		"jobs":    {gateway.ReasonGuestTrap, "the script's promises do not end (limit fuel)"},
		"native":  {gateway.ReasonGuestFailed, "hostile.js:15:"},
		"json":    {gateway.ReasonGuestFailed, "hostile.js:16:"},
		"proto":   {gateway.ReasonGuestFailed, "hostile.js:22:8: TypeError: not a function"},
	} {
		t.Run(word, func(t *testing.T) {
			e := scriptEngine(t, wasm.Config{
				Module: scriptModule(t, "hostile.js", hostileScript), Logger: slog.New(slog.DiscardHandler),
			})
			err := talk(t, e, word+"\n")
			if err == nil || !gateway.ReasonOf(err).Is(want.reason) || !strings.Contains(err.Error(), want.text) {
				t.Errorf("got %v, want %s: %s", err, want.reason.Name, want.text)
			}
			if word == "proto" {
				return // the script has broken itself for good, and nothing else
			}
			if err := talk(t, e, "fine\n"); err != nil {
				t.Errorf("the next device: %v", err)
			}
		})
	}
}

// talk runs a connection that sends b.
func talk(t *testing.T, e *wasm.Engine, b string) error {
	t.Helper()
	h, err := e.NewHandler(gateway.NullAdapter{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.OnSocketCreated(gateway.ConnInfo{}); err != nil {
		t.Fatal(err)
	}
	err = h.OnReceivedBytes([]byte(b))
	_ = h.OnSocketClosed(gateway.ReasonNormal)
	return err
}

// TestTheDigestOfAScript: each text is a version of its own.
func TestTheDigestOfAScript(t *testing.T) {
	a := scriptEngine(t, wasm.Config{Module: scriptModule(t, "a.js", "function onBytes() {}")})
	b := scriptEngine(t, wasm.Config{Module: scriptModule(t, "a.js", "function onBytes() { }")})
	if a.Digest() == b.Digest() {
		t.Error("the digests are the same")
	}
}
