package ws

import (
	"fmt"
	"unicode/utf8"

	"github.com/exgate/exgate/runtime/gateway"
)

// sink receives what a decoder decodes. Arguments are valid during the call only.
type sink interface {
	// message takes a whole message.
	message(text bool, b []byte)
	// control takes a control frame.
	control(opcode byte, b []byte)
	// charge counts a frame that is not the first of a message, with its size.
	charge(n int)
	// ready reports whether more can be taken. It is asked after each frame.
	ready() bool
}

// violation is an error of the device that ends the connection.
type violation struct {
	code   int // of the close frame
	reason gateway.CloseReason
}

func protocolError(format string, args ...any) *violation {
	return &violation{codeProtocolError, gateway.ReasonProtocolError.With(format, args...)}
}

// decoder reads the frames of a device. Between frames it holds only the received part of a fragmented message.
type decoder struct {
	max int // bytes of a message

	head    [maxHeader]byte // of the frame being read
	headLen int             // how much of head has been read
	frame   header          // parsed from head once inside
	inside  bool            // the header has been read
	at      uint64          // bytes of the payload read so far

	open     bool   // a message is incomplete
	text     bool   // it, or the last one, is text
	partial  []byte // the part that has arrived, if it comes in pieces
	controls []byte // the part of a control frame that has arrived
}

// feed reads b, which it modifies, until s is no longer ready, and returns the rest.
func (d *decoder) feed(s sink, b []byte) (rest []byte, v *violation) {
	for len(b) > 0 {
		done := false
		if !d.inside {
			if b, v = d.header(b); v != nil {
				return nil, v
			}
			if !d.inside {
				return nil, nil
			}
			done = d.frame.length == 0
		}
		var payload []byte
		if !done {
			payload, b = d.payload(b)
			done = d.at == d.frame.length
		}
		if !done {
			d.keep(payload)
			return nil, nil
		}
		if v := d.end(s, payload); v != nil {
			return nil, v
		}
		if !s.ready() {
			return b, nil
		}
	}
	return nil, nil
}

// header reads more of a header and returns the bytes after it.
func (d *decoder) header(b []byte) ([]byte, *violation) {
	for {
		want := 2
		if d.headLen >= want {
			want = headerSize(d.head[:])
		}
		n := copy(d.head[d.headLen:want], b)
		d.headLen += n
		b = b[n:]
		if d.headLen < want {
			return nil, nil
		}
		if d.headLen > 2 || headerSize(d.head[:]) == 2 {
			break
		}
	}
	d.frame = parseHeader(d.head[:d.headLen])
	d.headLen, d.inside, d.at = 0, true, 0
	return b, d.check()
}

// check checks a header: RFC 6455, sections 5.1 to 5.5.
func (d *decoder) check() *violation {
	h := &d.frame
	switch {
	case h.rsv != 0:
		return protocolError("a frame has reserved bits set: no extension was negotiated")
	case !h.masked:
		return protocolError("a frame is not masked")
	case h.length > 1<<63-1, d.head[1]&0x7f == 127 && h.length <= 0xffff,
		d.head[1]&0x7f == 126 && h.length <= maxControl:
		return protocolError("the length of a frame has an invalid encoding")
	}
	switch h.opcode {
	case opClose, opPing, opPong:
		if !h.fin || h.length > maxControl {
			return protocolError("a control frame is fragmented or longer than %d bytes", maxControl)
		}
		return nil
	case opText, opBinary:
		if d.open {
			return protocolError("a message begins before the previous one has ended")
		}
	case opContinuation:
		if !d.open {
			return protocolError("a continuation frame has no message to continue")
		}
	default:
		return protocolError("a frame has the unknown opcode %d", h.opcode)
	}
	if h.length > uint64(d.max-len(d.partial)) {
		return &violation{codeTooLarge, gateway.ReasonMessageTooLarge.With("a message has more than %d bytes", d.max)}
	}
	return nil
}

// payload unmasks the part of b that belongs to the frame, and returns the bytes after it.
func (d *decoder) payload(b []byte) (payload, rest []byte) {
	n := min(uint64(len(b)), d.frame.length-d.at)
	payload, rest = b[:n], b[n:]
	unmask(payload, d.frame.mask, d.at)
	d.at += n
	return payload, rest
}

// keep keeps a part of a payload.
func (d *decoder) keep(b []byte) {
	if d.frame.control() {
		d.controls = append(d.controls, b...)
	} else {
		d.partial = append(d.partial, b...)
	}
}

// end handles the frame that ends with payload.
func (d *decoder) end(s sink, payload []byte) *violation {
	d.inside = false
	h := &d.frame
	if h.control() {
		s.charge(int(h.length))
		if len(d.controls) > 0 {
			payload = append(d.controls, payload...)
			d.controls = nil
		}
		return d.endControl(s, payload)
	}
	if h.opcode == opContinuation {
		s.charge(int(h.length))
	} else {
		d.open, d.text = true, h.opcode == opText
	}
	if !h.fin {
		d.keep(payload)
		return nil
	}
	d.open = false
	if len(d.partial) > 0 {
		payload = append(d.partial, payload...)
		d.partial = nil
	}
	if d.text && !utf8.Valid(payload) {
		return &violation{codeInvalidText, gateway.ReasonProtocolError.With("a text message is not UTF-8")}
	}
	s.message(d.text, payload)
	return nil
}

func (d *decoder) endControl(s sink, payload []byte) *violation {
	if d.frame.opcode == opClose {
		if err := checkClose(payload); err != nil {
			return protocolError("%v", err)
		}
	}
	s.control(d.frame.opcode, payload)
	return nil
}

// checkClose checks the payload of a close frame: nothing, or a code and a text.
func checkClose(b []byte) error {
	switch {
	case len(b) == 0:
		return nil
	case len(b) == 1:
		return fmt.Errorf("a close frame has one byte")
	case !validCode(closeCode(b)):
		return fmt.Errorf("a close frame has the invalid code %d", closeCode(b))
	case !utf8.Valid(b[2:]):
		return fmt.Errorf("the text of a close frame is not UTF-8")
	}
	return nil
}
