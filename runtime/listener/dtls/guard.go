package dtls

import (
	"encoding/binary"
	"sync/atomic"
)

// The parts of a DTLS record that the guard reads, RFC 6347 section 4.1 and RFC 9146 section 4.
const (
	recordHeader    = 13
	handshakeHeader = 12
	// minHello is a ClientHello with an empty session id and cookie, one cipher suite and one compression method.
	minHello = 2 + 32 + 1 + 1 + 2 + 2 + 1 + 1

	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordData             = 23
	recordConnectionID     = 25

	messageClientHello = 1
	messageServerHello = 2
)

// maxHandshakeDatagrams bounds the datagrams of a handshake, retransmissions and fragments included. An ordinary one
// takes 4 to 8.
const maxHandshakeDatagrams = 64

// drop says why a datagram did not reach the DTLS library; it is the label of a counter. The zero value means that it
// passed.
type drop string

const (
	passed         drop = ""
	dropNotHello   drop = "not_a_hello" // an unknown source sent something else than a ClientHello
	dropMalformed  drop = "malformed"   // no sequence of whole records
	dropRecordType drop = "record_type" // a type that DTLS 1.2 does not have
	// unauthenticated data, or an unauthenticated alert to an established session
	dropPlaintext      drop = "plaintext"
	dropLatePlaintext  drop = "late_plaintext"      // an unauthenticated record after the first authenticated data
	dropHandshakeLimit drop = "handshake_datagrams" // more than maxHandshakeDatagrams
	dropPipeFull       drop = "queue_full"          // the handler is slower than the client; counted as for UDP
	dropGreylisted     drop = "greylisted"          // a hello that came for the first time, during a flood of them
	dropBusy           drop = "busy"                // a hello while as many sources as may have just been answered
	dropOverRate       drop = "over_rate"           // its connection has received more than its rate allows
	dropRecordSize     drop = "record_size"         // the handler sent more than one record carries
)

// guard checks a peer's datagrams before the DTLS library sees them: unauthenticated data must not end a session, nor
// cost more than a handshake. See RATIONALE.md, "Why does a guard stand below the DTLS library?".
type guard struct {
	cid           int // length of the connection IDs issued by this side; 0: none
	datagrams     atomic.Uint32
	established   atomic.Bool // the handshake is complete
	authenticated atomic.Bool // the peer has sent data since, so it has completed the handshake too
}

// isHello reports whether b begins with the first fragment of an initial ClientHello: all that an unknown source may
// send.
func isHello(b []byte) bool {
	if len(b) < recordHeader+handshakeHeader+minHello || b[0] != recordHandshake || b[1] != 0xfe ||
		binary.BigEndian.Uint16(b[3:]) != 0 {
		return false
	}
	if n := int(binary.BigEndian.Uint16(b[11:])); n < handshakeHeader+minHello || recordHeader+n > len(b) {
		return false
	}
	m := b[recordHeader:]
	sequence, offset := binary.BigEndian.Uint16(m[4:]), uint24(m[6:])
	return m[0] == messageClientHello && sequence == 0 && offset == 0
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// isServerHello reports whether b, sent by the library, begins with a ServerHello: the library has accepted the peer's
// cookie.
func isServerHello(b []byte) bool {
	return len(b) > recordHeader && b[0] == recordHandshake && binary.BigEndian.Uint16(b[3:]) == 0 &&
		b[recordHeader] == messageServerHello
}

// check decides whether the library may see the datagram b of a known peer.
func (g *guard) check(b []byte) drop {
	plaintext, why := g.records(b)
	if why != passed {
		return why
	}
	if (plaintext || !g.established.Load()) && g.datagrams.Add(1) > maxHandshakeDatagrams {
		return dropHandshakeLimit
	}
	return passed
}

// records checks each record of b and reports whether one of them is unauthenticated.
func (g *guard) records(b []byte) (plaintext bool, why drop) {
	if len(b) == 0 {
		return false, dropMalformed
	}
	for len(b) > 0 {
		n, ok := g.recordSize(b)
		if !ok {
			return plaintext, dropMalformed
		}
		epoch := binary.BigEndian.Uint16(b[3:])
		if why := g.record(b[0], epoch, b[recordHeader:n]); why != passed {
			return plaintext, why
		}
		plaintext = plaintext || epoch == 0
		b = b[n:]
	}
	return plaintext, passed
}

// recordSize returns the size of b's first record, header included.
func (g *guard) recordSize(b []byte) (int, bool) {
	header := recordHeader
	if len(b) > 0 && b[0] == recordConnectionID {
		header += g.cid
	}
	if len(b) < header {
		return 0, false
	}
	n := header + int(binary.BigEndian.Uint16(b[header-2:]))
	return n, n <= len(b)
}

// record checks one record. body begins with the connection ID, if any.
func (g *guard) record(kind byte, epoch uint16, body []byte) drop {
	switch kind {
	case recordHandshake:
	case recordChangeCipherSpec:
		if epoch == 0 && (len(body) != 1 || body[0] != 1) { // the library answers it with an authenticated fatal alert
			return dropMalformed
		}
	case recordAlert:
		if epoch == 0 && g.established.Load() {
			return dropPlaintext
		}
	case recordData:
		if epoch == 0 {
			return dropPlaintext
		}
	case recordConnectionID:
		if g.cid == 0 {
			return dropRecordType
		}
		if epoch == 0 {
			return dropPlaintext
		}
	default:
		return dropRecordType
	}
	if epoch == 0 && g.authenticated.Load() {
		return dropLatePlaintext
	}
	return passed
}
