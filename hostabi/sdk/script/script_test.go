package script_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/conformance/probe"
	"github.com/exgate/exgate/hostabi/guesttest"
	"github.com/exgate/exgate/hostabi/sdk/script"
)

const conn = 1 << 40 // more than 32 bits hold

func moduleOf(t *testing.T, source string) []byte {
	t.Helper()
	m, err := script.Script{Name: "test.js", Source: []byte(source)}.Module()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// load starts a script with a device.
func load(t *testing.T, source string, cfg guesttest.Config) *guesttest.Guest {
	t.Helper()
	g := guesttest.Load(t, moduleOf(t, source), cfg)
	g.Created(conn, hostabi.ConnInfo{SocketType: 2, Peer: hostabi.Address{Host: "192.0.2.1", Port: 5000}})
	return g
}

func sent(t *testing.T, g *guesttest.Guest, want string) {
	t.Helper()
	if got := g.Sent(conn); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func called(t *testing.T, g *guesttest.Guest, want string) {
	t.Helper()
	if got := strings.ReplaceAll(g.Calls(), "1099511627776", "CONN"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestProbe(t *testing.T) {
	source, err := os.ReadFile("testdata/probe.js")
	if err != nil {
		t.Fatal(err)
	}
	// scripts cannot publish with properties yet, and do not see the metadata of a connection
	probe.RunExcept(t, moduleOf(t, string(source)), guesttest.Config{}, "created", "usage", "calls", "refusals",
		"properties")
}

func TestAModuleIsItsScript(t *testing.T) {
	s := script.Script{Name: "meter.js", Source: []byte("function onBytes() {}"), Framing: "lines"}
	m, err := s.Module()
	if err != nil {
		t.Fatal(err)
	}
	got, ok := script.Of(m)
	if !ok || got.Name != s.Name || !bytes.Equal(got.Source, s.Source) || got.Framing != s.Framing {
		t.Errorf("Of: %v %+v", ok, got)
	}
	for n := range 40 {
		if _, ok := script.Of(m[:len(m)-1-n]); ok {
			t.Errorf("a module without its last %d bytes is a script", n+1)
		}
	}
	if _, ok := script.Of(append(m, 0)); ok {
		t.Error("a module with another byte is a script")
	}
}

func TestWhatIsNoScript(t *testing.T) {
	for want, s := range map[string]script.Script{
		"the script's file name has 0 bytes: use 1 to 255": {},
		"the script has 1048577 bytes: use at most 1048576": {
			Name: "a.js", Source: bytes.Repeat([]byte(" "), script.MaxSource+1),
		},
		"a.js:3: not UTF-8":            {Name: "a.js", Source: []byte("//\n//\n'\xff'")},
		"a.js:2: contains a zero byte": {Name: "a.js", Source: []byte("//\n'\x00'")},
	} {
		if _, err := s.Module(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// What a script's author sees when it does not load: file, line and column.
func TestErrorsAtTheStart(t *testing.T) {
	for source, want := range map[string]string{
		"let a = 1;\nlet b = ;\n":                   "test.js:2:9: SyntaxError: ",
		"let a = 1;\nundefined.b;\n":                "test.js:2:1: TypeError: cannot read property 'b' of undefined",
		"function onFrame( {":                       "test.js:1:",
		"let a = 1;":                                "the script defines neither onFrame, onBytes nor decodeUplink",
		"const framing = 'x';function onFrame() {}": "the variable framing is not a framing",
		"throw new Error('no meter')":               "test.js:1:11: Error: no meter",
	} {
		g, code := guesttest.TryLoad(t, moduleOf(t, source), guesttest.Config{})
		if calls := g.Calls(); code == 0 || !strings.Contains(calls, want) {
			t.Errorf("%s: code %d, log %s, want %s", source, code, calls, want)
		}
	}
}

// An error ends the connection of its event, and no other.
func TestErrorsInEvents(t *testing.T) {
	const source = "const framing = 'lines';\nfunction onFrame(conn, frame) {\n  const word = text(frame);\n" +
		"  if (word === 'bad') conn.missing.member = 1;\n  if (word === 'late') Promise.reject(new Error('late'));\n" +
		"  conn.send(word);\n}\n"
	for word, want := range map[string]string{
		"bad":  "test.js:4:23: TypeError: cannot set property 'member' of undefined",
		"late": "test.js:5:43: Error: late",
	} {
		g := load(t, source, guesttest.Config{})
		if a := g.Bytes(conn, word+"\n"); a != hostabi.ActionFail {
			t.Errorf("%s: action %d", word, a)
		}
		if calls := g.Calls(); !strings.Contains(calls, want) {
			t.Errorf("%s: %s, want %s", word, calls, want)
		}
		g.Sent(conn)
		g.Created(conn+1, hostabi.ConnInfo{})
		if a := g.Bytes(conn+1, "good\n"); a != hostabi.ActionContinue || g.Sent(conn+1) != "good" {
			t.Errorf("%s: the other connection got action %d", word, a)
		}
	}
}

// Bytes after a login wait for its answer, in one event and in several.
func TestLoginHoldsBytes(t *testing.T) {
	const source = "const framing = 'lines';\nfunction onFrame(conn, frame) {\n" +
		"  if (!conn.clientId) conn.login({clientId: text(frame)});\n" +
		"  else conn.publish('up/' + conn.clientId, frame);\n}\n"
	g := load(t, source, guesttest.Config{})
	if a := g.Bytes(conn, "m1\n1\n2"); a != hostabi.ActionPause {
		t.Errorf("action %d", a)
	}
	if a := g.Bytes(conn, "3\n"); a != hostabi.ActionPause {
		t.Errorf("action %d", a)
	}
	g.Calls()
	g.Result(conn, 1, hostabi.CodeSuccess, "")
	called(t, g, "resume CONN\npublish CONN token=0 \"up/m1\" qos=0 \"1\"\n"+
		"publish CONN token=0 \"up/m1\" qos=0 \"23\"")
}

func TestARefusedLoginCloses(t *testing.T) {
	g := load(t, "function onBytes(conn, b) { conn.login({clientId: text(b)}); }", guesttest.Config{})
	g.Bytes(conn, "m1")
	g.Calls()
	if a := g.Result(conn, 1, hostabi.CodePermissionDeny, "not today"); a != hostabi.ActionClose {
		t.Errorf("action %d", a)
	}
	called(t, g, `close CONN "login refused: PERMISSION_DENY not today"`)
}

// A payload codec of The Things Stack or ChirpStack runs as it is.
func TestCodec(t *testing.T) {
	const source = "function decodeUplink(input) {\n" +
		"  if (input.bytes.length < 2) return {errors: ['too short']};\n" +
		"  return {data: {port: input.fPort, level: input.bytes[0] << 8 | input.bytes[1]}, warnings: ['old']};\n}\n" +
		"function encodeDownlink(input) { return {bytes: [input.data.valve], fPort: input.fPort}; }\n"
	g := load(t, source, guesttest.Config{Config: `{"port": 7, "up": "tanks/${client_id}"}`})
	called(t, g, "authenticate CONN token=1 proto=\"\"/\"\" clientid=\"192.0.2.1\" username=\"\" "+
		"mountpoint=\"\" password=\"\"")
	g.Result(conn, 1, hostabi.CodeSuccess, "")
	called(t, g, "subscribe CONN token=3 \"192.0.2.1/down\" qos=1\nresume CONN")
	g.Bytes(conn, "\x01\x02")
	called(t, g, "log 4 \"decoding: old\"\n"+
		"publish CONN token=0 \"tanks/192.0.2.1\" qos=1 \"{\\\"port\\\":7,\\\"level\\\":258}\"")
	g.Bytes(conn, "\x01")
	called(t, g, "log 8 \"decoding: too short\"")
	g.Messages(conn, hostabi.Message{Topic: "192.0.2.1/down", Payload: []byte(`{"valve": 9}`)})
	sent(t, g, "\x09")
	g.Messages(conn, hostabi.Message{Topic: "192.0.2.1/down", Payload: []byte(`{"valve": `)})
	if calls := g.Calls(); !strings.HasPrefix(calls, "log 8 \"encoding: SyntaxError: ") {
		t.Errorf("a message that is no JSON: %s", calls)
	}
}
