package c_test

import (
	_ "embed"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/conformance/probe"
	"github.com/exgate/exgate/hostabi/guesttest"
)

var (
	//go:embed probe/probe.wasm
	probeModule []byte
	//go:embed testdata/bounds.wasm
	bounds []byte
	//go:embed testdata/echo.wasm
	echo []byte
)

const conn = 1 << 40 // more than 32 bits hold

func expect(t *testing.T, g *guesttest.Guest, want string) {
	t.Helper()
	if got := g.Sent(conn); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestProbe(t *testing.T) { probe.Run(t, probeModule, guesttest.Config{}) }

func TestAuthenticateNeverOverflows(t *testing.T) {
	g := guesttest.Load(t, bounds, guesttest.Config{})
	for _, n := range []int{1, 127, 128, 2000, 2043, 2044, 2045, 2048, 4096, 60_000} {
		name := strings.Repeat("n", n)
		g.Bytes(conn, name)
		if calls := g.Calls(); n > 2043 { // 2 n and 9 bytes around them are more than XP_AUTH_BUFFER
			expect(t, g, "code 4\n")
		} else {
			expect(t, g, "code 0\n")
			if !strings.Contains(calls, fmt.Sprintf("clientid=%q ", name)) ||
				!strings.HasSuffix(calls, fmt.Sprintf("password=%q", name)) {
				t.Errorf("a name of %d bytes was cut: %s", n, calls)
			}
		}
	}
}

func TestInitReturnsWhatTheGuestSays(t *testing.T) {
	if _, code := guesttest.TryLoad(t, bounds, guesttest.Config{Config: "4"}); code != 4 {
		t.Errorf("init returned %d, want 4", code)
	}
}

func TestStateTableKeepsEveryConnection(t *testing.T) {
	g := guesttest.Load(t, bounds, guesttest.Config{})
	g.Bytes(conn, "#")
	expect(t, g, "churn ok 20000\n")
}

func TestStateTableRefusesWhenMemoryIsOut(t *testing.T) {
	g := guesttest.Load(t, bounds, guesttest.Config{MemoryPages: 4})
	g.Bytes(conn, "#")
	if got := g.Sent(conn); !strings.HasPrefix(got, "churn ok ") || got == "churn ok 20000\n" {
		t.Errorf("got %q, want fewer connections and none lost", got)
	}
}

func TestReadmeShowsWhatIsTested(t *testing.T) {
	g := guesttest.Load(t, echo, guesttest.Config{})
	g.Bytes(conn, "hello\n")
	expect(t, g, "hello\n")
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"testdata/echo.c", "testdata/lines.c", "testdata/lines_test.c"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimPrefix(strings.ReplaceAll(string(source), `"../`, `"`), "//go:build ignore\n\n")
		if !strings.Contains(string(readme), text) {
			t.Errorf("README.md does not show %s", file)
		}
	}
}

// FuzzEvents gives the decoders of the header any body: whatever it is, they stay inside it.
func FuzzEvents(f *testing.F) {
	f.Add(int32(1), hostabi.AppendConnInfo(nil, hostabi.ConnInfo{Peer: hostabi.Address{Host: "h", Port: 1}}))
	f.Add(int32(4), hostabi.AppendMessage(nil, hostabi.Message{Topic: "t", Payload: []byte("p"), Timestamp: 1}))
	f.Add(int32(5), hostabi.AppendCodeResponse(nil, hostabi.CodeLimit, "later"))
	f.Add(int32(4), []byte{0x12, 0xff, 0xff, 0xff, 0xff, 0x0f})             // a length beyond the body
	f.Add(int32(4), []byte{0x09, 1, 2})                                     // a short fixed64
	f.Add(int32(4), []byte("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")) // an endless varint
	g := guesttest.Load(f, probeModule, guesttest.Config{})
	f.Fuzz(func(t *testing.T, kind int32, body []byte) {
		if len(body) > 64<<10 {
			return // larger than any event's body
		}
		g.Using(t)
		g.Created(conn, hostabi.ConnInfo{})
		g.Event(hostabi.Kind(kind), conn, 0, body)
		g.Closed(conn, "")
		g.Calls()
		g.Sent(conn)
	})
}
