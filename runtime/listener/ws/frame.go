package ws

import "encoding/binary"

// Opcodes, RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

const (
	maxHeader  = 14  // of a frame, with the longest length and a mask
	maxControl = 125 // bytes in a control frame
)

// header is the header of a frame of a device.
type header struct {
	fin    bool
	rsv    byte
	opcode byte
	masked bool
	length uint64
	mask   [4]byte
}

func (h *header) control() bool { return h.opcode&0x8 != 0 }

// headerSize returns the size of the header that begins with b, which has at least two bytes.
func headerSize(b []byte) int {
	n := 2
	switch b[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// parseHeader parses a whole header.
func parseHeader(b []byte) (h header) {
	h.fin, h.rsv, h.opcode = b[0]&0x80 != 0, b[0]>>4&0x7, b[0]&0xf
	h.masked, h.length = b[1]&0x80 != 0, uint64(b[1]&0x7f)
	b = b[2:]
	switch h.length {
	case 126:
		h.length = uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	case 127:
		h.length = binary.BigEndian.Uint64(b)
		b = b[8:]
	}
	if h.masked {
		copy(h.mask[:], b)
	}
	return h
}

// appendFrame appends a frame of the server: whole, and not masked.
func appendFrame(to []byte, opcode byte, payload []byte) []byte {
	to = append(to, 0x80|opcode)
	switch n := len(payload); {
	case n <= maxControl:
		to = append(to, byte(n))
	case n <= 0xffff:
		to = binary.BigEndian.AppendUint16(append(to, 126), uint16(n))
	default:
		to = binary.BigEndian.AppendUint64(append(to, 127), uint64(n))
	}
	return append(to, payload...)
}

// unmask unmasks b, which begins at the byte at of its payload.
func unmask(b []byte, mask [4]byte, at uint64) {
	var key [8]byte
	for i := range key {
		key[i] = mask[(at+uint64(i))&3]
	}
	word := binary.NativeEndian.Uint64(key[:])
	for ; len(b) >= len(key); b = b[len(key):] {
		binary.NativeEndian.PutUint64(b, binary.NativeEndian.Uint64(b)^word)
	}
	for i := range b {
		b[i] ^= key[i]
	}
}
