package line_test

import (
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/guesttest"
	"github.com/exgate/exgate/wasm-examples/line"
)

const conn = 7

// The tokens that the module gives its calls.
const (
	tokenLogin = 1 + iota
	tokenPub
	tokenPub1
	tokenSub
	tokenUnsub
)

func open(t *testing.T) *guesttest.Guest {
	t.Helper()
	g := guesttest.Load(t, line.Module, guesttest.Config{})
	g.Created(conn, hostabi.ConnInfo{})
	g.Sent(conn)
	return g
}

func openLoggedIn(t *testing.T) *guesttest.Guest {
	t.Helper()
	g := open(t)
	g.Bytes(conn, "login bob\n")
	g.Result(conn, tokenLogin, hostabi.CodeSuccess, "")
	g.Sent(conn)
	g.Calls()
	return g
}

func said(t *testing.T, g *guesttest.Guest, want string) {
	t.Helper()
	if got := g.Sent(conn); got != want {
		t.Errorf("the device was sent\n%q, want\n%q", got, want)
	}
}

func called(t *testing.T, g *guesttest.Guest, want string) {
	t.Helper()
	if got := g.Calls(); got != want {
		t.Errorf("calls:\n%s\nwant:\n%s", got, want)
	}
}

func acted(t *testing.T, got, want hostabi.Action) {
	t.Helper()
	if got != want {
		t.Errorf("action %d, want %d", got, want)
	}
}

func TestGreeting(t *testing.T) {
	g := guesttest.Load(t, line.Module, guesttest.Config{Config: "Plant 7\x1b[2J"})
	g.Created(conn, hostabi.ConnInfo{})
	said(t, g, `Plant 7\x1b[2J. Type login <clientid>, then sub <filter> or pub <topic> <text>; help tells more.`+"\n")
	if _, code := guesttest.TryLoad(t, line.Module, guesttest.Config{Config: strings.Repeat("x", 257)}); code == 0 {
		t.Error("a greeting of 257 bytes was accepted")
	}
}

func TestSession(t *testing.T) {
	g := open(t)
	g.Bytes(conn, "ping\r\n")
	said(t, g, "pong\n")
	acted(t, g.Bytes(conn, "login bob user pass word\n"), hostabi.ActionPause)
	called(t, g,
		`authenticate 7 token=1 proto="line"/"1" clientid="bob" username="user" mountpoint="" password="pass word"`)
	g.Result(conn, tokenLogin, hostabi.CodeSuccess, "")
	said(t, g, "ok\n")
	called(t, g, "resume 7")

	g.Bytes(conn, "sub a/+\npub a/b hello  world \npub1 a/c x\nunsub a/+\nkeepalive 30\n")
	called(t, g, `subscribe 7 token=4 "a/+" qos=1
publish 7 token=2 "a/b" qos=0 "hello  world "
publish 7 token=3 "a/c" qos=1 "x"
unsubscribe 7 token=5 "a/+"
start_timer 7 type=0 seconds=30`)
	said(t, g, "ok\n")
	for _, token := range []int64{tokenSub, tokenPub1, tokenUnsub} {
		g.Result(conn, token, hostabi.CodeSuccess, "")
		said(t, g, "ok\n")
	}
	g.Result(conn, tokenPub, hostabi.CodeSuccess, "")
	said(t, g, "")

	g.Messages(conn, hostabi.Message{Topic: "a/b", Payload: []byte("one")}, hostabi.Message{Topic: "a/c"})
	said(t, g, "< a/b one\n< a/c \n")
	acted(t, g.Bytes(conn, "quit\nping\n"), hostabi.ActionClose)
	said(t, g, "bye\n")
	g.Closed(conn, "normal")
	acted(t, g.Bytes(conn, "ping\n"), hostabi.ActionClose)
}

func TestQuitWaitsForAnswers(t *testing.T) {
	g := openLoggedIn(t)
	acted(t, g.Bytes(conn, "pub1 a x\npub a y\nquit\nping\n"), hostabi.ActionPause)
	acted(t, g.Bytes(conn, "ping\n"), hostabi.ActionPause)
	acted(t, g.Result(conn, tokenPub1, hostabi.CodeSuccess, ""), hostabi.ActionPause)
	acted(t, g.Result(conn, tokenPub, hostabi.CodePermissionDeny, ""), hostabi.ActionClose)
	said(t, g, "ok\nerror: publish refused: not allowed\nbye\n")
}

func TestTimerSaysGoodbye(t *testing.T) {
	g := open(t)
	acted(t, g.Timer(conn), hostabi.ActionClose)
	said(t, g, "bye: keepalive timeout\n")
}

func TestDrainIsAnnounced(t *testing.T) {
	g := open(t)
	acted(t, g.Drain(conn), hostabi.ActionContinue)
	said(t, g, "notice: please reconnect soon\n")
}

func TestErrorsArePolite(t *testing.T) {
	loggedOut := map[string]string{
		"pub a b":                  "error: login first",
		"sub a":                    "error: login first",
		"unsub a":                  "error: login first",
		"frobnicate now":           "error: unknown command 'frobnicate', try help",
		"\x1b[2J\xff\xc2\x9bé€😀":   `error: unknown command '\x1b[2J\xff\xc2\x9bé€😀', try help`,
		"\u202e\u2066\xed\xa0\x80": `error: unknown command '\xe2\x80\xae\xe2\x81\xa6\xed\xa0\x80', try help`,
		strings.Repeat("x", 40):    "error: unknown command '" + strings.Repeat("x", 32) + "', try help",
		"login":                    "error: usage: login <clientid> [username password]",
		"login bob user":           "error: usage: login <clientid> [username password]",
		"pub":                      "error: usage: pub <topic> <text>",
		"pub1":                     "error: usage: pub1 <topic> <text>",
		"sub":                      "error: usage: sub <filter>",
		"unsub":                    "error: usage: unsub <filter>",
		"keepalive 0":              "error: usage: keepalive <seconds>, from 1 to 86400",
		"keepalive 86401":          "error: usage: keepalive <seconds>, from 1 to 86400",
		"keepalive 4294967297":     "error: usage: keepalive <seconds>, from 1 to 86400",
		"keepalive -1":             "error: usage: keepalive <seconds>, from 1 to 86400",
		strings.Repeat("x", 1025):  "error: a line has at most 1024 bytes",
	}
	g := open(t)
	for command, want := range loggedOut {
		acted(t, g.Bytes(conn, command+"\n"), hostabi.ActionContinue)
		said(t, g, want+"\n")
	}
	called(t, g, "")
	g.Bytes(conn, "\n\r\n   \n")
	said(t, g, "")
}

func TestRefusals(t *testing.T) {
	g := openLoggedIn(t)
	g.Result(conn, tokenPub, hostabi.CodePermissionDeny, "no\x07t you")
	g.Result(conn, tokenPub1, hostabi.CodePermissionDeny, "")
	g.Result(conn, tokenSub, hostabi.CodeUnknown, "")
	said(t, g, "error: publish refused: no\\x07t you\n"+
		"error: publish refused: not allowed\n"+
		"error: subscribe refused: the broker cannot take it\n")
	g.Refuse("publish", hostabi.CodeLimit)
	g.Refuse("subscribe", hostabi.CodeParamsTypeError)
	g.Bytes(conn, "pub a b\nsub #/x\nlogin eve\n")
	said(t, g, "error: publish refused: too many commands are under way, wait for an answer\n"+
		"error: subscribe refused: not a valid topic or name\n"+
		"error: you are logged in already\n")
}

func TestLoginRefusedThenAccepted(t *testing.T) {
	g := open(t)
	acted(t, g.Bytes(conn, "login bob\nlogin eve\nping\n"), hostabi.ActionPause)
	acted(t, g.Result(conn, tokenLogin, hostabi.CodePermissionDeny, "bad password"), hostabi.ActionPause)
	said(t, g, "error: login refused: bad password\n")
	acted(t, g.Result(conn, tokenLogin, hostabi.CodeSuccess, ""), hostabi.ActionContinue)
	said(t, g, "ok\npong\n")
	if calls := g.Calls(); strings.Count(calls, "resume") != 1 || !strings.HasSuffix(calls, "resume 7") {
		t.Errorf("want one resume at the end:\n%s", calls)
	}
}

func TestPayloadsAreShownWithoutControls(t *testing.T) {
	g := openLoggedIn(t)
	g.Messages(conn, hostabi.Message{Topic: "t\r\n", Payload: []byte("\x00\x1b]0;x\x07\x7f grün \xc3(\xf0\x9f\x98")})
	said(t, g, `< t\x0d\x0a \x00\x1b]0;x\x07\x7f grün \xc3(\xf0\x9f\x98`+"\n")
}

func TestLargeMessage(t *testing.T) {
	g := openLoggedIn(t)
	g.Messages(conn, hostabi.Message{Topic: "t", Payload: []byte(strings.Repeat("\x01", 60_000))})
	said(t, g, "< t "+strings.Repeat(`\x01`, 60_000)+"\n")
}

func TestDeviceThatTakesNothingIsClosed(t *testing.T) {
	g := open(t)
	g.Refuse("send", hostabi.CodeLimit)
	acted(t, g.Bytes(conn, strings.Repeat("help\n", 1000)), hostabi.ActionClose)
}
