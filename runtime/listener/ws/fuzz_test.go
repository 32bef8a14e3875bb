package ws

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"
)

// log is a sink that records what it gets.
type log struct {
	t     *testing.T
	max   int
	lines bytes.Buffer
	size  int // of messages and control frames
}

func (l *log) message(text bool, b []byte) {
	if len(b) > l.max || text && !utf8.Valid(b) {
		l.t.Errorf("a message of %d bytes", len(b))
	}
	l.size += len(b)
	fmt.Fprintf(&l.lines, "message %v %q\n", text, b)
}

func (l *log) control(opcode byte, b []byte) {
	if len(b) > maxControl {
		l.t.Errorf("a control frame of %d bytes", len(b))
	}
	l.size += len(b)
	fmt.Fprintf(&l.lines, "control %x %q\n", opcode, b)
}

func (l *log) charge(n int) { fmt.Fprintf(&l.lines, "charge %d\n", n) }

// ready stops the decoder after each frame.
func (l *log) ready() bool { return false }

// decode feeds b in pieces of step bytes and returns what came of it.
func decode(t *testing.T, b []byte, step int) string {
	const limit = 300
	l := &log{t: t, max: limit}
	d := decoder{max: limit}
	given := bytes.Clone(b) // the decoder modifies it
	for len(given) > 0 {
		piece := given[:min(step, len(given))]
		given = given[len(piece):]
		for len(piece) > 0 {
			var v *violation
			if piece, v = d.feed(l, piece); v != nil {
				fmt.Fprintf(&l.lines, "%d %s", v.code, v.reason)
				return l.lines.String()
			}
		}
		if len(d.partial) > limit || len(d.controls) > maxControl {
			t.Errorf("%d and %d bytes are kept", len(d.partial), len(d.controls))
		}
	}
	if l.size > len(b) {
		t.Errorf("%d bytes of %d", l.size, len(b))
	}
	return l.lines.String()
}

// What is decoded does not depend on how the bytes were cut.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), 3) // RFC 6455, section 5.7
	f.Add([]byte("\x01\x80aaaa\x89\x81aaaab\x80\x80aaaa"), 1)
	f.Add([]byte("\x82\xfe\x00\x7eaaaab"), 5)
	f.Add([]byte("\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00aaaab"), 5)
	f.Add([]byte("\x88\x82aaaab"), 2)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		if step <= 0 || len(b) > 1<<16 {
			return
		}
		if whole, cut := decode(t, b, len(b)+1), decode(t, b, step); whole != cut {
			t.Errorf("in one piece\n%sin pieces of %d\n%s", whole, step, cut)
		}
	})
}

func TestDecoderReadsTheExamplesOfTheRFC(t *testing.T) {
	for frames, want := range map[string]string{
		"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58": "message true \"Hello\"\n",
		"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58": "charge 5\ncontrol 9 \"Hello\"\n",
	} {
		if got := decode(t, []byte(frames), 1); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func FuzzRequest(f *testing.F) {
	s := newServer(Config{Path: "/a/*", Subprotocols: []string{"p"}, Headers: []string{"X"}})
	const line = "GET /a/b?c=d HTTP/1.1\r\n"
	f.Add([]byte(line + "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: o, p\r\nX: y\r\n" +
		"Authorization: Basic YTpi\r\nOrigin: http://h\r\n\r\n"))
	f.Add([]byte(line + "\r\n"))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := s.parse(b)
		if err != nil {
			return
		}
		if bytes.Count([]byte(r.response()), []byte("\r\n")) != 6 { // nothing of the request can add a header
			t.Errorf("response %q", r.response())
		}
		for _, p := range r.properties {
			if !utf8.ValidString(p.Name) || !utf8.ValidString(p.Value) || p.Value == "" {
				t.Errorf("property %q", p)
			}
		}
	})
}
