package hostabi

import "errors"

// Wire types of protobuf in ExProto's messages, and the two that are skipped.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// errMessage reports a malformed protobuf message.
var errMessage = errors.New("malformed protobuf message")

func appendVarint(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// appendUint appends a number field. proto3 omits zero values.
func appendUint(b []byte, field int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return appendVarint(appendVarint(b, uint64(field)<<3|wireVarint), v)
}

func appendText[T string | []byte](b []byte, field int, v T) []byte {
	if len(v) == 0 {
		return b
	}
	return append(appendLength(b, field, len(v)), v...)
}

func appendLength(b []byte, field, n int) []byte {
	return appendVarint(appendVarint(b, uint64(field)<<3|wireBytes), uint64(n))
}

// field is one field of a message.
type field struct {
	number uint64
	wire   byte
	value  uint64 // of wireVarint
	bytes  []byte // of wireBytes
}

// next splits the first field off a message.
func next(b []byte) (f field, rest []byte, err error) {
	tag, b, ok := varint(b)
	f = field{number: tag >> 3, wire: byte(tag & 7)}
	if !ok || f.number == 0 || f.number >= 1<<29 {
		return f, nil, errMessage
	}
	n := uint64(0)
	switch f.wire {
	case wireVarint:
		f.value, b, ok = varint(b)
	case wire64:
		n = 8
	case wire32:
		n = 4
	case wireBytes:
		n, b, ok = varint(b)
	default:
		ok = false
	}
	if !ok || n > uint64(len(b)) {
		return f, nil, errMessage
	}
	f.bytes = b[:n]
	return f, b[n:], nil
}

func varint(b []byte) (v uint64, rest []byte, ok bool) {
	for i := 0; i < len(b) && i < 10; i++ {
		if i == 9 && b[i] > 1 {
			return 0, nil, false
		}
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return v, b[i+1:], true
		}
	}
	return 0, nil, false
}
