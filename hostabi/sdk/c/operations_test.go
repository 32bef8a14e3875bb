package c_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi/sdk/vectors"
)

func TestOperations(t *testing.T) {
	n := startNative(t, "testdata/operations.c")
	all := vectors.All()
	ops := make([]string, len(all))
	for i, v := range all {
		ops[i] = v.Op
	}
	for i, got := range n.ask(ops...) {
		if got != all[i].Out {
			t.Errorf("%s\ngot  %s\nwant %s", all[i].Op, got, all[i].Out)
		}
	}
}

// source makes operations out of bytes.
type source []byte

func (s *source) next() int {
	if len(*s) == 0 {
		return 0
	}
	c := (*s)[0]
	*s = (*s)[1:]
	return int(c)
}

func (s *source) hex() string {
	n := min(s.next()%24, len(*s))
	b := (*s)[:n]
	*s = (*s)[n:]
	return digits(b)
}

// digits are hexadecimal, or - for none.
func digits(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

func (s *source) wide() (v uint64) {
	for range 8 {
		v = v<<8 | uint64(s.next())
	}
	return v
}

var (
	fields = strings.Fields("u8 u16 u16le u24 u24le u32 u32le u64 u64le i8 i16 i16le i32 i32le i64 i64le f64 f64le " +
		"bcd bcdle bits bytes skip rest fail")
	values = strings.Fields("u8 u16 u16le u24 u24le u32 u32le u64 u64le bcd bcdle")
	calls  = strings.Fields("{ } [ ] n")
)

func (s *source) read() string {
	op := "read " + s.hex()
	for range s.next() % 10 {
		op += fmt.Sprintf(" %s:%d", fields[s.next()%len(fields)], s.next()%34)
	}
	return op
}

func (s *source) write() string {
	op := fmt.Sprintf("write %d", s.next()%40)
	for range s.next() % 10 {
		switch v := s.wide(); s.next() % 4 {
		case 0:
			op += " bytes=" + s.hex()
		case 1:
			op += fmt.Sprintf(" f64=%x", v&^(0x7ff<<52)) // a NaN may change
		default:
			op += fmt.Sprintf(" %s:%d=%d", values[s.next()%len(values)], s.next()%12, v)
		}
	}
	return op
}

func (s *source) json() string {
	op := fmt.Sprintf("json %d", s.next()*2)
	for range s.next() % 12 {
		switch v, decimals := s.wide(), s.next()%11; s.next() % 9 {
		case 0:
			op += " k:" + s.hex()
		case 1, 2:
			op += " t:" + s.hex()
		case 3:
			op += fmt.Sprintf(" d:%d:%d", int64(v), decimals)
		case 4:
			op += fmt.Sprintf(" f:%x:%d", v, decimals)
		case 5:
			f := math.Ldexp(float64(int64(v>>12)), s.next()%80-60)
			op += fmt.Sprintf(" f:%x:%d", math.Float64bits(f), decimals)
		default:
			op += " " + calls[s.next()%len(calls)]
		}
	}
	return op
}

func (s *source) ft12() string {
	pieces := []string{s.hex()}
	for range s.next() % 5 {
		b := make([]byte, s.next()%30)
		for i := range b {
			b[i] = []byte{0xe5, 0x10, 0x68, 0x68, 0x68, 0x68, 3, 27}[s.next()%8]
		}
		pieces = append(pieces, digits(b))
	}
	return "ft12 " + strings.Join(pieces, ",")
}

func (s *source) op() string {
	names := vectors.Checksums()
	switch s.next() % 10 {
	case 0:
		return fmt.Sprintf("crc2 %s %s %s", names[s.next()%(len(names)-4)], s.hex(), s.hex())
	case 1, 2:
		return s.read()
	case 3:
		return s.write()
	case 4:
		return fmt.Sprintf("civil %d %d", int64(s.wide())>>(s.next()%40), s.next()*600-70_000)
	case 5:
		return fmt.Sprintf("unix %d %d %d %d %d %d 0", s.next()*40, s.next()%14, s.next()%33, s.next()%25, s.next()%61,
			s.next()%61)
	case 6:
		return "bcdtime " + s.hex()
	case 7:
		return s.json()
	case 8:
		return s.ft12()
	}
	if s.next()%2 == 0 {
		return "gbk " + s.hex()
	}
	return "togbk " + s.hex()
}

// FuzzOperations compares with the Go SDK.
func FuzzOperations(f *testing.F) {
	for kind := range byte(10) {
		f.Add([]byte{kind, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0xe5, 0x68, 0x22, 0x80, 0xff})
	}
	n := startNative(f, "testdata/operations.c")
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<10 {
			return
		}
		n.t = t
		for s := source(b); len(s) > 0; {
			op := s.op()
			if got, want := n.ask(op)[0], vectors.Run(op); got != want {
				t.Fatalf("%s\ngot  %s\nwant %s", op, got, want)
			}
		}
	})
}
