package c_test

import (
	_ "embed"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/sdk/guesttest"
)

var (
	//go:embed testdata/probe.wasm
	probe []byte
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

func TestEventsReachTheHandlerDecoded(t *testing.T) {
	g := guesttest.Load(t, probe, guesttest.Config{})
	g.Created(conn, hostabi.ConnInfo{
		SocketType: 3, Peer: hostabi.Address{Host: "2001:db8::1", Port: 65535}, Local: hostabi.Address{Host: "10.0.0.1", Port: 7993},
		PeerCert: &hostabi.CertificateInfo{CommonName: "pump", DistinguishedName: "CN=pump,O=exgate"},
	})
	expect(t, g, "created type=3 peer=2001:db8::1:65535 local=10.0.0.1:7993 cn=pump dn=CN=pump,O=exgate\n")
	g.Created(conn, hostabi.ConnInfo{})
	expect(t, g, "created type=0 peer=:0 local=:0 cn= dn=\n")

	first := hostabi.Message{Node: "n", ID: "i", QoS: 2, From: "f", Topic: "t", Payload: []byte("p"), Timestamp: 1_790_000_000_000}
	g.Messages(conn, first, hostabi.Message{Topic: "u"})
	expect(t, g, "message node=n id=i qos=2 from=f topic=t payload=p at=1790000000000;"+
		"message node= id= qos=0 from= topic=u payload= at=0;\n")

	if a := g.Result(conn, 7, hostabi.CodeLimit, "later"); a != hostabi.ActionClose {
		t.Errorf("action %d of the result is lost", a)
	}
	expect(t, g, "result token=7 code=16 message=later\n")
	g.Timer(conn)
	expect(t, g, "timer 0\n")
	if a := g.Drain(conn); a != hostabi.ActionPause {
		t.Errorf("action %d of the drain is lost", a)
	}
	expect(t, g, "drain\n")
	g.Closed(conn, "tcp_closed")
	expect(t, g, "closed tcp_closed\n")
	if a := g.Event(99, conn, 0, nil); a != hostabi.ActionContinue {
		t.Errorf("an unknown kind got action %d", a)
	}
}

func TestCallsReachTheHost(t *testing.T) {
	g := guesttest.Load(t, probe, guesttest.Config{})
	g.Bytes(conn, "!")
	want := strings.ReplaceAll(`authenticate CONN token=1 proto="p"/"v" clientid="id" username="user" mountpoint="m/" password="secret"
start_timer CONN type=0 seconds=30
publish CONN token=2 "t" qos=1 "body"
subscribe CONN token=3 "t/#" qos=2
unsubscribe CONN token=4 "t/#"
resume CONN
log 4 "hello"
close CONN "done"`, "CONN", fmt.Sprint(conn))
	if got := g.Calls(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAuthenticateNeverOverflows(t *testing.T) {
	g := guesttest.Load(t, probe, guesttest.Config{})
	for _, n := range []int{1, 127, 128, 2000, 2043, 2044, 2045, 2048, 4096, 60_000} {
		name := strings.Repeat("n", n)
		g.Bytes(conn, name)
		if calls := g.Calls(); n > 2043 { // 2 n and 9 bytes around them are more than XP_AUTH_BUFFER
			expect(t, g, "code 4\n")
		} else {
			expect(t, g, "code 0\n")
			if !strings.Contains(calls, fmt.Sprintf("clientid=%q ", name)) || !strings.HasSuffix(calls, fmt.Sprintf("password=%q", name)) {
				t.Errorf("a name of %d bytes was cut: %s", n, calls)
			}
		}
	}
}

func TestInitReturnsWhatTheGuestSays(t *testing.T) {
	if _, code := guesttest.TryLoad(t, probe, guesttest.Config{Config: "4"}); code != 4 {
		t.Errorf("init returned %d, want 4", code)
	}
}

func TestStateTableKeepsEveryConnection(t *testing.T) {
	g := guesttest.Load(t, probe, guesttest.Config{})
	g.Bytes(conn, "#")
	expect(t, g, "churn ok 20000\n")
}

func TestStateTableRefusesWhenMemoryIsOut(t *testing.T) {
	g := guesttest.Load(t, probe, guesttest.Config{MemoryPages: 4})
	g.Bytes(conn, "#")
	if got := g.Sent(conn); !strings.HasPrefix(got, "churn ok ") || got == "churn ok 20000\n" {
		t.Errorf("got %q, want fewer connections and none lost", got)
	}
}

func TestReadmeShowsTheEchoThatIsTested(t *testing.T) {
	g := guesttest.Load(t, echo, guesttest.Config{})
	g.Bytes(conn, "hello\n")
	expect(t, g, "hello\n")
	source, err := os.ReadFile("testdata/echo.c")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), strings.ReplaceAll(string(source), `"../exproto.h"`, `"exproto.h"`)) {
		t.Error("README.md does not show testdata/echo.c")
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
	g := guesttest.Load(f, probe, guesttest.Config{})
	f.Fuzz(func(t *testing.T, kind int32, body []byte) {
		if len(body) > 64<<10 {
			return // larger than any event's body
		}
		g.Using(t)
		g.Event(hostabi.Kind(kind), conn, 0, body)
		g.Sent(conn)
	})
}
