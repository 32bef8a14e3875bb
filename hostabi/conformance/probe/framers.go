package probe

import (
	"strconv"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/conformance"
)

func (s suite) framers(t *testing.T) {
	d := s.start(t)
	d.says("frame fixed 5\nhellohel", "ok\nframe 68656c6c6f\n")
	d.says("lolines"+"echo a\nframe delimiter 3b 8 strip\necho;lines;echo b\n",
		"frame 68656c6c6f\nok\na\nok\nframe 6563686f\nok\nb\n")
	d.says("frame length 1 big 0 0 4096 strip\n\x00\x05lines", "ok\nframe \nok\n")
	d.says("frame length 1 big 0 -1 8 keep\n\x03ab\x09\x00\x00\x00", "ok\nframe 036162\nframe error too_long\n")
	d.says("\x00\x00\x00\x00\x00\x00", "frame error broken\n")
	d.says("\x05line\x06lines", "")
	d = s.start(t)
	d.says("frame escape 7e 7e 7d 4096 map 027e,017d\n", "ok\n")
	d.says("~a}\x02b~~}\x03~~lines", "frame 617e62\nframe error broken\n")
	d.says("~state\n", "ok\nstate 2\n")
	d.sends("frame delimiter 0a 4096 line\r\nleave\nlines\r\nleave\nnot this\n", "ok\nframe 6c65617665\nok\n",
		hostabi.ActionClose)
}

func (s suite) refusedFramers(t *testing.T) {
	d := s.start(t)
	notations := append(conformance.FramingVectors().Refused,
		"", " ", "fixed", "fixed ", "fixed x", "fixed -1", "fixed 3 3", "fixed 3 ", "Fixed 3", "fixed 4097",
		"fixed 4294967297", "slip",
		"delimiter 0a 4097 line", "delimiter 0A 8 line", "delimiter 0 8 line", "delimiter 0g 8 line", "delimiter 0a 8",
		"delimiter 0a 8 none",
		"delimiter 0a  8 line", "delimiter 0a 8 line ", "delimiter 0a +8 line", "length 1 big 0 0 4097 keep",
		"length 1 big 0 - 8 keep",
		"length 1 big 0 --1 8 keep", "length 1 middle 0 0 8 keep", "length 1 big 0 0 8 line",
		"length 1 big -1 0 8 keep",
		"escape 7e 7e 7d 4097 xor 20", "escape 7e 7e 7d 8 xor", "escape 7e 7e 7d 8 xor 2000", "escape 7e - 7d 8 xor 20",
		"escape 7e7e 7e 7d 8 xor 20",
		"escape 7e 7e 7d 8 map", "escape 7e 7e 7d 8 map 027e,", "escape 7e 7e 7d 8 map 027e017d",
		"escape 7e 7e 7d 8 not 20")
	for _, n := range notations {
		d.says("frame "+n+"\n", "error framing\n")
	}
	d.says("frame\necho still lines\n", "error framing\nstill lines\n")
}

// vectors runs the vectors of the framing helpers, split in every way.
func (s suite) vectors(t *testing.T) {
	g := s.start(t)
	for _, f := range conformance.FramingVectors().Framers {
		if tooLarge(f.Framer) {
			continue
		}
		for _, c := range f.Cases {
			want := ""
			for _, o := range c.Outcomes {
				if o == "too_long" || o == "broken" {
					o = "error " + o
				}
				want += "frame " + o + "\n"
			}
			for _, pieces := range c.Cuts() {
				g.Created(conn, hostabi.ConnInfo{})
				g.Bytes(conn, "frame "+f.Framer+"\n")
				g.answered(f.Framer, "created type=0 peer=:0 local=:0 cn= dn=\nok\n")
				for _, p := range pieces {
					g.Bytes(conn, string(p))
				}
				g.answered(f.Framer+": "+c.Name, want)
				g.Closed(conn, "")
			}
		}
	}
}

// tooLarge reports whether the frames of a framer may be larger than probes accept.
func tooLarge(notation string) bool {
	for word := range strings.FieldsSeq(notation) {
		if n, err := strconv.Atoi(word); err == nil && n > 4096 {
			return true
		}
	}
	return false
}
