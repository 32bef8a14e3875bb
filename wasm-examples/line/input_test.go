package line_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/guesttest"
	"github.com/exgate/exgate/wasm-examples/line"
)

func TestCommandsTypedDuringLoginAreHeld(t *testing.T) {
	for _, size := range []int{1, 100, 1024, 5000} { // one piece of the network
		var commands, want strings.Builder
		for i := range 500 {
			fmt.Fprintf(&commands, "pub t/%d %s\r\n", i, strings.Repeat("v", i%100))
			fmt.Fprintf(&want, "publish 7 token=2 \"t/%d\" qos=0 %q\n", i, strings.Repeat("v", i%100))
		}
		g := open(t)
		acted(t, g.Bytes(conn, "login bob\nping"), hostabi.ActionPause)
		g.Calls()
		rest := "\n" + commands.String()
		for len(rest) > 0 {
			n := min(size, len(rest))
			acted(t, g.Bytes(conn, rest[:n]), hostabi.ActionPause)
			rest = rest[n:]
		}
		acted(t, g.Result(conn, tokenLogin, hostabi.CodeSuccess, ""), hostabi.ActionContinue)
		said(t, g, "ok\npong\n")
		called(t, g, want.String()+"resume 7")
	}
}

func TestTooMuchDuringLogin(t *testing.T) {
	g := open(t)
	g.Bytes(conn, "login bob\n")
	acted(t, g.Bytes(conn, strings.Repeat("x", 40_000)), hostabi.ActionPause)
	acted(t, g.Bytes(conn, strings.Repeat("x", 40_000)), hostabi.ActionClose)
	said(t, g, "error: too much before the login was answered\n")
}

func TestLinesArriveInAnyPieces(t *testing.T) {
	input := "ping\r\nlogin\nping\n" + strings.Repeat("y", 3000) + "\nping\n" + strings.Repeat("z", 1024) + "\nping\n"
	want := "pong\nerror: usage: login <clientid> [username password]\npong\n" +
		"error: a line has at most 1024 bytes\npong\n" +
		"error: unknown command '" + strings.Repeat("z", 32) + "', try help\npong\n"
	for _, size := range []int{1, 2, 3, 7, 500, 1023, 1024, 1025, 65536} {
		g := open(t)
		for rest := input; len(rest) > 0; {
			n := min(size, len(rest))
			g.Bytes(conn, rest[:n])
			rest = rest[n:]
		}
		said(t, g, want)
	}
}

func TestCallsOfOneEventAreBounded(t *testing.T) {
	g := openLoggedIn(t)
	g.Bytes(conn, strings.Repeat("sub a\n", 10_000))
	if calls := strings.Count(g.Calls(), "subscribe"); calls != 4096 {
		t.Errorf("%d calls in one event, want 4096", calls)
	}
	said(t, g, strings.Repeat("error: too many commands at once\n", 10_000-4096))
}

func TestConnectionsDoNotMix(t *testing.T) {
	g := open(t)
	g.Created(8, hostabi.ConnInfo{})
	g.Sent(8)
	g.Bytes(7, "pi")
	g.Bytes(8, "login eve\n")
	g.Bytes(7, "ng\n")
	said(t, g, "pong\n")
	g.Result(8, tokenLogin, hostabi.CodeSuccess, "")
	if got := g.Sent(8); got != "ok\n" {
		t.Errorf("the other device was sent %q", got)
	}
}

func TestStateOfManyConnectionsIsFreed(t *testing.T) {
	g := guesttest.Load(t, line.Module, guesttest.Config{})
	var pages uint32
	for round := range 3 {
		for id := range int64(5000) {
			id += int64(round) * 5000
			g.Created(id, hostabi.ConnInfo{})
			g.Bytes(id, "login x\n")
			g.Bytes(id, strings.Repeat("h", 1+int(id%1000)))
			if got := g.Sent(id); !strings.HasPrefix(got, "exgate line") {
				t.Fatalf("connection %d was sent %q", id, got)
			}
		}
		for id := range int64(5000) {
			g.Closed(id+int64(round)*5000, "tcp_closed")
		}
		if round == 0 {
			pages = g.MemoryPages()
		}
	}
	if now := g.MemoryPages(); now != pages {
		t.Errorf("memory grew from %d to %d pages for the same number of connections", pages, now)
	}
}

func TestIdleConnectionsHoldNoBuffer(t *testing.T) {
	g := guesttest.Load(t, line.Module, guesttest.Config{})
	for id := range int64(50_000) {
		g.Created(id, hostabi.ConnInfo{})
		g.Bytes(id, "pi")
		g.Bytes(id, "ng\n")
		g.Sent(id)
	}
	if kib := g.MemoryPages() * 64; kib > 8<<10 {
		t.Errorf("50,000 idle connections hold %d KiB", kib)
	}
}

func TestMemoryOutIsSaidPolitely(t *testing.T) {
	g := guesttest.Load(t, line.Module, guesttest.Config{MemoryPages: 4})
	for id := range int64(50_000) {
		if a := g.Created(id, hostabi.ConnInfo{}); a == hostabi.ActionClose {
			if got := g.Sent(id); got != "error: too many connections, come back later\n" {
				t.Errorf("the device was sent %q", got)
			}
			return
		}
	}
	t.Error("256 KiB held 50,000 connections")
}

func FuzzBytes(f *testing.F) {
	f.Add("ping\r\n", "login bob user pass\nping\n", true)
	f.Add("pub a b\nsub ", "x\nkeepalive 5\n", false)
	g := guesttest.Load(f, line.Module, guesttest.Config{})
	var id int64
	f.Fuzz(func(t *testing.T, first, second string, accepted bool) {
		if len(first) > 64<<10 || len(second) > 64<<10 {
			return
		}
		g.Using(t)
		id++
		g.Created(id, hostabi.ConnInfo{})
		code := hostabi.CodePermissionDeny
		if accepted {
			code = hostabi.CodeSuccess
		}
		for _, in := range []string{first, second} {
			g.Bytes(id, in)
			if strings.Contains(g.Calls(), "authenticate") {
				g.Result(id, tokenLogin, code, in)
			}
		}
		for _, r := range g.Sent(id) {
			if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
				t.Errorf("a control character %q was echoed", r)
			}
		}
		g.Closed(id, "tcp_closed")
		g.Calls()
	})
}
