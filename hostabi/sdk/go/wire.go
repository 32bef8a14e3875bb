package exproto

import (
	"encoding/binary"
	"errors"
	"math"
)

// errWire reports bytes that are not a protobuf message.
var errWire = errors.New("malformed protobuf message")

// The protobuf wire types that are not obsolete.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// field is one field of a message: either a number in value, or bytes.
type field struct {
	number uint64
	value  uint64
	bytes  []byte
}

// eachField calls f for each field of a message, until the first error.
func eachField(b []byte, f func(field) error) error {
	for len(b) > 0 {
		var got field
		var err error
		if got, b, err = nextField(b); err != nil {
			return err
		}
		if err = f(got); err != nil {
			return err
		}
	}
	return nil
}

func nextField(b []byte) (f field, rest []byte, err error) {
	tag, n := binary.Uvarint(b)
	f.number = tag >> 3
	if n <= 0 || f.number == 0 || f.number >= 1<<29 {
		return field{}, nil, errWire
	}
	b = b[n:]
	switch tag & 7 {
	case wireVarint:
		f.value, n = binary.Uvarint(b)
	case wireBytes:
		return lengthField(f, b)
	case wireFixed64:
		if n = 8; len(b) >= n {
			f.value = binary.LittleEndian.Uint64(b)
		}
	case wireFixed32:
		if n = 4; len(b) >= n {
			f.value = uint64(binary.LittleEndian.Uint32(b))
		}
	default:
		n = 0
	}
	if n <= 0 || n > len(b) {
		return field{}, nil, errWire
	}
	return f, b[n:], nil
}

func lengthField(f field, b []byte) (field, []byte, error) {
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return field{}, nil, errWire
	}
	b = b[n:]
	f.bytes = b[:length:length]
	return f, b[length:], nil
}

// uint32Of converts a uint32 or enum field: protobuf takes the lower half of the number.
func uint32Of(v uint64) uint32 { return uint32(v & math.MaxUint32) }

// appendUint appends a number field, unless it is 0.
func appendUint(b []byte, number int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(number)<<3|wireVarint), v)
}

// appendLength appends the head of a field of n bytes.
func appendLength(b []byte, number, n int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(number)<<3|wireBytes), uint64(n))
}

// appendText appends a string field, unless it is empty.
func appendText(b []byte, number int, s string) []byte {
	if s == "" {
		return b
	}
	return append(appendLength(b, number, len(s)), s...)
}
