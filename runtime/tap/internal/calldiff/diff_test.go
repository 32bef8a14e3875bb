package calldiff_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/internal/calldiff"
	"github.com/exgate/exgate/runtime/tap/internal/redact"
)

func send(text string) tap.Record { return tap.Record{Kind: tap.Send, Data: []byte(text)} }

func publish(topic, text string) tap.Record {
	return tap.Record{Kind: tap.Publish, Topic: topic, Data: []byte(text)}
}

func login(id, password string) tap.Record {
	return tap.Record{Kind: tap.Authenticate, Client: gateway.ClientInfo{ClientID: id}, Password: password}
}

var (
	pause  = tap.Record{Kind: tap.Pause}
	closes = tap.Record{Kind: tap.Close, Reason: gateway.ReasonNormal.With("a detail")}
	failed = tap.Record{Kind: tap.Handled, Err: errors.New("trap")}
)

// Each test has the calls of both sides, and the kind of the first difference with both sides of it.
var tests = map[string]struct {
	first, other []tap.Record
	socket       gateway.SocketType
	want         string
}{
	"the same": {
		first: []tap.Record{send("a"), publish("t", "b"), closes},
		other: []tap.Record{send("a"), publish("t", "b"), {Kind: tap.Close, Reason: gateway.ReasonNormal}},
	},
	"pauses do not count": {first: []tap.Record{pause, send("a")}, other: []tap.Record{send("a"), pause}},
	"pieces of a stream": {
		first: []tap.Record{send("ab"), send(""), send("cd")},
		other: []tap.Record{send("a"), send("bcd")},
	},
	"datagrams": {
		socket: gateway.SocketUDP, first: []tap.Record{send("ab")},
		other: []tap.Record{send("a"), send("b")}, want: `send: send "ab" | send "a"`,
	},
	"empty datagram": {socket: gateway.SocketUDP, first: []tap.Record{send("")}, want: `send: send "" | nothing`},
	"another payload": {
		first: []tap.Record{publish("t", "ab")}, other: []tap.Record{publish("t", "abc")},
		want: `publish: publish "t" qos 0 "ab" | publish "t" qos 0 "abc"`,
	},
	"another topic": {
		first: []tap.Record{publish("t", "a")}, other: []tap.Record{publish("u", "a")},
		want: `publish: publish "t" qos 0 "a" | publish "u" qos 0 "a"`,
	},
	"another order": {
		first: []tap.Record{send("a"), publish("t", "b")},
		other: []tap.Record{publish("t", "b"), send("a")}, want: `send: send "a" | publish "t" qos 0 "b"`,
	},
	"one more": {
		first: []tap.Record{send("a")}, other: []tap.Record{send("a"), closes},
		want: `close: nothing | close normal`,
	},
	"one less": {
		first: []tap.Record{send("a"), closes}, other: []tap.Record{send("a")},
		want: `close: close normal | nothing`,
	},
	"failure":   {other: []tap.Record{failed}, want: `failure: nothing | failed with handler_failed`},
	"both fail": {first: []tap.Record{failed}, other: []tap.Record{failed}},
	"another password": {
		first: []tap.Record{login("a", "x")}, other: []tap.Record{login("a", "y")},
		want: `password: authenticate clientid "a" username "" protocol "" "" | ` +
			`authenticate clientid "a" username "" protocol "" ""`,
	},
	"unknown password": {first: []tap.Record{login("a", "")}, other: []tap.Record{login("a", "y")}},
	"secrets are covered": {
		first: []tap.Record{send("-hunter2-")}, other: []tap.Record{publish("hunter2", "")},
		want: `send: send "-*******-" | publish "*******" qos 0 ""`,
	},
}

func TestDiff(t *testing.T) {
	var secrets redact.Secrets
	secrets.Add("hunter2")
	for name, test := range tests {
		for _, firstFirst := range []bool{true, false} {
			d := calldiff.New(test.socket)
			add := func(records []tap.Record, take func(*tap.Record)) {
				for _, r := range records {
					take(&r)
				}
			}
			if firstFirst {
				add(test.first, d.First)
			}
			add(test.other, d.Other)
			if !firstFirst {
				add(test.first, d.First)
			}
			got := ""
			if found := d.End(); found != nil {
				first, other := found.Texts(&secrets)
				got = found.Kind + ": " + first + " | " + other
			}
			if got != test.want {
				t.Errorf("%s, first handler first: %v:\n got %s\nwant %s", name, firstFirst, got, test.want)
			}
		}
	}
}

// A side that is far ahead does not use unbounded memory.
func TestFarAhead(t *testing.T) {
	d := calldiff.New(gateway.SocketTCP)
	r := publish("t", "x")
	for range 1024 {
		d.First(&r)
	}
	if d.Found() != nil {
		t.Error("too early")
	}
	d.First(&r)
	if d.Found() == nil {
		t.Error("never")
	}
}

func TestLongCallsAreCut(t *testing.T) {
	long := publish(strings.Repeat("t", 2000), strings.Repeat("x", 1000))
	if text := calldiff.Text(&long); len(text) > 1200 || !strings.Contains(text, "... (1000 bytes, crc ") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
	auth := login(strings.Repeat("c", 2000), "")
	if text := calldiff.Text(&auth); len(text) > 600 {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}

func FuzzDiff(f *testing.F) {
	f.Add([]byte("abc"), []byte("abc"), 1, 2)
	f.Fuzz(func(t *testing.T, a, b []byte, cutA, cutB int) {
		d := calldiff.New(gateway.SocketTCP)
		for i, side := range [][]byte{a, b} {
			cut := min(max([]int{cutA, cutB}[i], 0), len(side))
			take := []func(*tap.Record){d.First, d.Other}[i]
			for _, piece := range [][]byte{side[:cut], side[cut:]} {
				take(&tap.Record{Kind: tap.Send, Data: piece})
			}
		}
		if same := d.End() == nil; same != (string(a) == string(b)) {
			t.Errorf("%q and %q: %v", a, b, same)
		}
	})
}
