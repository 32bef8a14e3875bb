package vectors

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/exgate/exgate/hostabi/sdk/go/jsontext"
	"github.com/exgate/exgate/hostabi/sdk/go/packet"
)

// read reads fields.
func read(b []byte, fields []string) string {
	r := packet.Read(b)
	var out []string
	for _, f := range fields {
		name, arg, _ := strings.Cut(f, ":")
		n, _ := strconv.Atoi(arg)
		if v := readField(r, name, n); v != "" {
			out = append(out, v)
		}
	}
	switch {
	case r.Done():
		out = append(out, "done")
	case r.OK():
		out = append(out, "ok")
	default:
		out = append(out, "bad")
	}
	return strings.Join(append(out, strconv.Itoa(r.Len())), " ")
}

func readField(r *packet.Reader, name string, n int) string {
	switch name {
	case "bytes":
		return digits(r.Bytes(n))
	case "rest":
		return digits(r.Rest())
	case "skip":
		r.Skip(n)
		return ""
	case "fail":
		r.Fail()
		return ""
	case "f32":
		return fmt.Sprintf("%x", math.Float32bits(r.Float32()))
	case "f32le":
		return fmt.Sprintf("%x", math.Float32bits(r.Float32LE()))
	case "f64":
		return fmt.Sprintf("%x", math.Float64bits(r.Float64()))
	case "f64le":
		return fmt.Sprintf("%x", math.Float64bits(r.Float64LE()))
	}
	return fmt.Sprint(readNumber(r, name, n))
}

func readNumber(r *packet.Reader, name string, n int) any {
	switch name {
	case "u8":
		return r.Uint8()
	case "u16":
		return r.Uint16()
	case "u16le":
		return r.Uint16LE()
	case "u24":
		return r.Uint24()
	case "u24le":
		return r.Uint24LE()
	case "u32":
		return r.Uint32()
	case "u32le":
		return r.Uint32LE()
	case "u64":
		return r.Uint64()
	case "u64le":
		return r.Uint64LE()
	case "i8":
		return r.Int8()
	case "i16":
		return r.Int16()
	case "i16le":
		return r.Int16LE()
	case "i32":
		return r.Int32()
	case "i32le":
		return r.Int32LE()
	case "i64":
		return r.Int64()
	case "i64le":
		return r.Int64LE()
	case "bcd":
		return r.BCD(n)
	case "bcdle":
		return r.BCDLE(n)
	case "bits":
		return r.Bits(n)
	}
	panic("vectors: no field " + name)
}

// write writes fields.
func write(most int, fields []string) string {
	w := packet.NewWriter(most)
	w.Uint8(1) // an earlier frame
	w.Reset()
	for _, f := range fields {
		field, value, _ := strings.Cut(f, "=")
		name, arg, _ := strings.Cut(field, ":")
		n, _ := strconv.Atoi(arg)
		switch name {
		case "bytes":
			w.Bytes(unhex(value))
		case "text":
			w.Text(string(unhex(value)))
		case "bcd":
			w.BCD(unsigned(value), n)
		case "bcdle":
			w.BCDLE(unsigned(value), n)
		default:
			writeNumber(w, name, value)
		}
	}
	state := "ok"
	if !w.OK() {
		state = "full"
	}
	return digits(w.Written()) + " " + state
}

func unsigned(s string) uint64 {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return v
}

func bitsOf(s string) uint64 {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		panic(err)
	}
	return v
}

func writeNumber(w *packet.Writer, name, value string) {
	switch name {
	case "u8":
		w.Uint8(uint8(unsigned(value)))
	case "u16":
		w.Uint16(uint16(unsigned(value)))
	case "u16le":
		w.Uint16LE(uint16(unsigned(value)))
	case "u24":
		w.Uint24(uint32(unsigned(value)))
	case "u24le":
		w.Uint24LE(uint32(unsigned(value)))
	case "u32":
		w.Uint32(uint32(unsigned(value)))
	case "u32le":
		w.Uint32LE(uint32(unsigned(value)))
	case "u64":
		w.Uint64(unsigned(value))
	case "u64le":
		w.Uint64LE(unsigned(value))
	case "f32":
		w.Float32(math.Float32frombits(uint32(bitsOf(value))))
	case "f32le":
		w.Float32LE(math.Float32frombits(uint32(bitsOf(value))))
	case "f64":
		w.Float64(math.Float64frombits(bitsOf(value)))
	case "f64le":
		w.Float64LE(math.Float64frombits(bitsOf(value)))
	default:
		panic("vectors: no field " + name)
	}
}

// writeJSON makes calls of a writer.
func writeJSON(most int, calls []string) string {
	w := jsontext.NewWriter(most)
	w.Object() // an earlier text
	w.Reset()
	for _, call := range calls {
		words := append(strings.Split(call, ":"), "", "")
		switch words[0] {
		case "{":
			w.Object()
		case "}":
			w.EndObject()
		case "[":
			w.Array()
		case "]":
			w.EndArray()
		case "k":
			w.Key(string(unhex(words[1])))
		case "t":
			w.TextBytes(unhex(words[1]))
		case "i":
			w.Int(int64(number(words[1])))
		case "u":
			w.Uint(unsigned(words[1]))
		case "d":
			w.Decimal(int64(number(words[1])), number(words[2]))
		case "f":
			w.Float(math.Float64frombits(bitsOf(words[1])), number(words[2]))
		case "b":
			w.Bool(words[1] == "1")
		case "n":
			w.Null()
		default:
			panic("vectors: no call " + call)
		}
	}
	if !w.OK() {
		return "bad"
	}
	return digits(w.Written())
}
