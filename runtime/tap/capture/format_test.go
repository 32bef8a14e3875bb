package capture

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
)

var update = flag.Bool("update", false, "write testdata/every.exgc anew")

// every has one record of each kind.
var every = []tap.Record{
	{Kind: tap.Created, Digest: "5f2d", Info: gateway.ConnInfo{
		SocketType: gateway.SocketSSL, Peer: netip.MustParseAddrPort("[2001:db8::1]:4000"),
		Local:    netip.MustParseAddrPort("192.0.2.2:7993"),
		PeerCert: &gateway.CertificateInfo{CommonName: "dev1", DistinguishedName: "CN=dev1,O=Example"},
	}},
	{Kind: tap.Bytes, Data: []byte("login a ***\r\n")},
	{
		Kind: tap.Authenticate, Call: 1, Wanted: true,
		Client: gateway.ClientInfo{ClientID: "a", Username: "u", ProtoName: "p", ProtoVersion: "1", Mountpoint: "m/"},
	},
	{Kind: tap.Pause, Call: 2},
	{Kind: tap.Result, Call: 1, Result: gateway.Refuse(gateway.CodePermissionDeny, "no")},
	{Kind: tap.Posted},
	{Kind: tap.Resume, Call: 3},
	{Kind: tap.Result, Call: 3, Refused: true, Result: gateway.Refuse(gateway.CodeConnProcessNotAlive, "")},
	{Kind: tap.Bytes, Data: []byte{0x7e, 0, 0x80}},
	{Kind: tap.Send, Call: 4, Data: []byte("grüß <&>\u2028")},
	{Kind: tap.StartTimer, Call: 5, Seconds: 30},
	{Kind: tap.Timer},
	{Kind: tap.Publish, Call: 6, Topic: "up/1", QoS: 1, Data: []byte{0xff}, Wanted: true},
	{Kind: tap.Subscribe, Call: 7, Topic: "down/#", QoS: 2, Wanted: true},
	{Kind: tap.Unsubscribe, Call: 8, Topic: "down/#"},
	{Kind: tap.Messages, Messages: []gateway.Message{
		{
			Node: "n", ID: "1", QoS: 1, From: "b", Topic: "down/1", Payload: []byte("x"),
			Timestamp: time.UnixMilli(1700000000000),
		},
		{Topic: "down/2", Payload: []byte{1}, Timestamp: time.UnixMilli(0)},
	}},
	{Kind: tap.Drain},
	{Kind: tap.Handled, Err: errors.New("guest_trap: unreachable")},
	{Kind: tap.Close, Call: 9, Reason: gateway.ReasonNormal.With("bye")},
	{Kind: tap.Closed, Reason: gateway.ReasonTCPClosed},
	// kinds that were added later, so that the lines before them stay as they were
	{Kind: tap.SetTimer, Call: 10, Alarm: 15, Millis: 250},
	{Kind: tap.SetTimer, Call: 11, Millis: -1},
	{Kind: tap.Alarm, Alarm: 15},
	{Kind: tap.Publish, Call: 12, Topic: "up/1", Data: []byte("x"), Props: &gateway.Properties{
		Retain: true, Expiry: 60, ContentType: "text/plain", ResponseTopic: "down/r", Correlation: []byte{0, 1},
		User: []gateway.Property{{Name: "a", Value: "b"}, {Name: "a", Value: ""}},
	}},
	{Kind: tap.Messages, Messages: []gateway.Message{{
		Topic: "down/1", Payload: []byte("x"), Timestamp: time.UnixMilli(0),
		Properties: &gateway.Properties{Retain: true},
	}}},
}

func written(t testing.TB) []byte {
	b, err := appendLine(nil, Header{
		Version: 1, Exgate: "v1.2.3", Listener: "demo", Handler: "wasm", Source: "line.wasm",
		Started: time.Unix(1700000000, 5).UTC(),
	})
	for i, r := range every {
		r.At = time.Duration(i) * time.Millisecond
		if err == nil {
			b, err = appendEntry(b, Entry{Conn: 1, Number: uint32(i + 1), Record: r})
		}
	}
	if err == nil {
		b, err = appendEntry(b, Entry{Conn: 2, Number: 1, Cut: cutNoLogin, Record: tap.Record{At: time.Second}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The file has version 1 and must always be read the same.
func TestFormatIsStable(t *testing.T) {
	const name = "testdata/every.exgc"
	if *update {
		if err := os.WriteFile(name, written(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := written(t); !bytes.Equal(got, golden) {
		t.Errorf("got\n%s\nwant\n%s", got, golden)
	}
	r, err := NewReader(bytes.NewReader(golden))
	if err != nil || r.Header().Listener != "demo" {
		t.Fatal(err)
	}
	for i, want := range every {
		want.At = time.Duration(i) * time.Millisecond
		e, err := r.Next()
		if err != nil || e.Conn != 1 || e.Line != i+2 || e.Number != uint32(i+1) {
			t.Fatalf("%+v, %v", e, err)
		}
		if !reflect.DeepEqual(e.Record, want) {
			t.Errorf("got  %+v\nwant %+v", e.Record, want)
		}
	}
	if e, err := r.Next(); err != nil || e.Conn != 2 || e.Cut != cutNoLogin {
		t.Errorf("got %+v, %v", e, err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// A capture can be read up to the point where its writing stopped, wherever that was.
func TestTruncated(t *testing.T) {
	all := written(t)
	header := bytes.IndexByte(all, '\n') + 1
	for n := header; n < len(all); n++ {
		r, err := NewReader(bytes.NewReader(all[:n]))
		if err != nil {
			t.Fatal(err)
		}
		whole := 0
		for err == nil {
			if _, err = r.Next(); err == nil {
				whole++
			}
		}
		lines := bytes.Count(all[header:n], []byte("\n"))
		if atEnd := all[n] == '\n' || all[n-1] == '\n'; atEnd != errors.Is(err, io.EOF) || !atEnd && !errors.Is(err,
			ErrTruncated) || whole < lines || whole > lines+1 {
			t.Errorf("cut at %d: %d of %d lines, %v", n, whole, lines, err)
		}
	}
}

func TestWhatReadersRefuse(t *testing.T) {
	const head = `{"exgc":1,"listener":"a","started":"2026-01-01T00:00:00Z"}` + "\n"
	for text, want := range map[string]string{
		"":         "reading a capture: it is empty",
		"\x1f\x8b": `reading a capture: line 1: not a capture: the first field must be "exgc"`,
		`{"exgc":2}` + "\n": "reading a capture: line 1: version 2 of the format is not supported: " +
			"this program reads version 1",
		head + "\n{\n{}\n":      "line 3: unexpected end of JSON input",
		head + `{"c":1}` + "\n": "line 2: c and n must be at least 1, and t at least 0",
		head + `{"c":1,"n":1,"t":0,"event":"created","socket":"x"}` + "\n": "" +
			`line 2: socket: "x" is not one of ["tcp" "ssl" "udp" "dtls"]`,
		head + `{"c":1,"n":1,"t":0,"event":"bytes","hex":"0"}` + "\n": "" +
			"line 2: encoding/hex: odd length hex string",
		head + `{"c":1,"n":1,"t":0,"result":"FINE"}` + "\n": "" +
			`line 2: result: "FINE" is not a code`,
		head + `{"c":1,"n":1,"t":0,"event":"drain","crc":"00000000"}` + "\n":      "line 2: " + errChecksum.Error(),
		head + strings.Repeat("x", maxLine+1):                                     "line 2: it is longer than 4 MiB",
		head + `{"c":1,"n":1,"t":0,"event":"later"}` + "\n" + `{"c":1,"n":2,"t":`: ErrTruncated.Error(),
	} {
		r, err := NewReader(strings.NewReader(text))
		if err == nil {
			for err == nil {
				_, err = r.Next()
			}
		}
		if err.Error() != want {
			t.Errorf("%.80q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	header, rest, _ := bytes.Cut(written(f), []byte("\n"))
	for line := range bytes.Lines(rest) {
		object, _, _ := bytes.Cut(line, []byte(`,"crc"`))
		f.Add(slices.Concat(header, []byte("\n"), object, []byte("}\n")))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		for e, err := range r.All() {
			if err != nil {
				return
			}
			text, err := appendEntry(nil, e)
			if err != nil {
				t.Fatal(err)
			}
			again, err := decodeLine(bytes.TrimSpace(text))
			again.Line = e.Line
			if err != nil || !reflect.DeepEqual(normal(again), normal(e)) {
				t.Errorf("%+v\nbecame %+v, %v", e, again, err)
			}
		}
	})
}

// normal leaves out what may differ: no bytes and nil.
func normal(e Entry) Entry {
	if len(e.Record.Data) == 0 {
		e.Record.Data = nil
	}
	for i := range e.Record.Messages {
		if len(e.Record.Messages[i].Payload) == 0 {
			e.Record.Messages[i].Payload = nil
		}
	}
	if e.Record.Err != nil {
		e.Record.Reason.Detail, e.Record.Err = e.Record.Err.Error(), nil
	}
	return e
}
