package dtls

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// aRecord is one DTLS 1.2 record.
func aRecord(kind byte, epoch uint16, body ...byte) []byte {
	b := make([]byte, recordHeader, recordHeader+len(body))
	b[0], b[1], b[2] = kind, 0xfe, 0xfd
	binary.BigEndian.PutUint16(b[3:], epoch)
	binary.BigEndian.PutUint16(b[11:], uint16(len(body)))
	return append(b, body...)
}

// aHello is the record of a ClientHello without a cookie that offers suites; sequence is the message's.
func aHello(sequence uint16, suites ...uint16) []byte { return aHelloWith(sequence, nil, suites...) }

// aHelloWith is aHello with a cookie.
func aHelloWith(sequence uint16, cookie []byte, suites ...uint16) []byte {
	body := make([]byte, 34, 200)
	body[0], body[1] = 0xfe, 0xfd
	body = append(body, 0, byte(len(cookie)))
	body = append(body, cookie...)
	body = binary.BigEndian.AppendUint16(body, uint16(2*len(suites)))
	for _, s := range suites {
		body = binary.BigEndian.AppendUint16(body, s)
	}
	body = append(body, 1, 0)
	extensions := []byte{
		0, 10, 0, 6, 0, 4, 0, 29, 0, 23, // supported_groups: X25519, P-256
		0, 11, 0, 2, 1, 0, // ec_point_formats: uncompressed
		0, 13, 0, 6, 0, 4, 4, 3, 4, 1, // signature_algorithms: ECDSA and RSA with SHA-256
	}
	body = binary.BigEndian.AppendUint16(body, uint16(len(extensions)))
	body = append(body, extensions...)
	r := aRecord(recordHandshake, 0, aMessage(messageClientHello, sequence, body)...)
	r[10] = byte(sequence) // the record's own number: nothing is a replay
	return r
}

// aMessage is a whole handshake message.
func aMessage(kind byte, sequence uint16, body []byte) []byte {
	n := uint32(len(body))
	m := []byte{kind, byte(n >> 16), byte(n >> 8), byte(n)}
	m = binary.BigEndian.AppendUint16(m, sequence)
	m = append(m, 0, 0, 0, byte(n>>16), byte(n>>8), byte(n))
	return append(m, body...)
}

func with(b []byte, at int, v byte) []byte {
	b = bytes.Clone(b)
	b[at] = v
	return b
}

func TestGuardUnknownSource(t *testing.T) {
	hello := aHello(0, 0xc02b)
	for _, tt := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"a hello", hello, true},
		{"with another record behind it", append(bytes.Clone(hello), aRecord(recordHandshake, 0, 1)...), true},
		{"DTLS 1.0's version in the record, as OpenSSL sends it", with(hello, 2, 0xff), true},
		{"nothing", nil, false},
		{"one byte", []byte{recordHandshake}, false},
		{"cut short", hello[:len(hello)-1], false},
		{"TLS", with(hello, 1, 3), false},
		{"epoch 1", with(hello, 4, 1), false},
		{"application data", with(hello, 0, recordData), false},
		{"another handshake message", with(hello, recordHeader, 11), false},
		{"a second hello: the one that asked for its cookie is gone", aHello(1, 0xc02b), false},
		{"a later fragment", with(hello, recordHeader+8, 7), false},
		{"a record that ends before its message", with(hello, 12, 20), false},
	} {
		if got := isHello(tt.b); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestGuardKnownPeer(t *testing.T) {
	join := func(r ...[]byte) []byte { return bytes.Join(r, nil) }
	withCID := func(cid string, body ...byte) []byte {
		r := aRecord(recordConnectionID, 1, body...)
		return join(r[:11], []byte(cid), r[11:])
	}
	const handshaking, established, authenticated = 0, 1, 2
	for _, tt := range []struct {
		name  string
		phase int
		cid   int
		b     []byte
		want  drop
	}{
		{"handshake", handshaking, 0, aRecord(recordHandshake, 0, 1, 2), passed},
		{"last flight", handshaking, 0, join(aRecord(recordHandshake, 0, 1), aRecord(recordChangeCipherSpec, 0, 1),
			aRecord(recordHandshake, 1, 2)), passed},
		{"alert in the handshake", handshaking, 0, aRecord(recordAlert, 0, 2, 40), passed},
		{"early data", handshaking, 0, aRecord(recordData, 1, 1), passed},
		{"plaintext data", handshaking, 0, aRecord(recordData, 0, 1), dropPlaintext},
		{
			"plaintext data behind a good record", handshaking, 0,
			join(aRecord(recordHandshake, 0, 1), aRecord(recordData, 0, 1)), dropPlaintext,
		},
		{
			"retransmitted last flight", established, 0,
			join(aRecord(recordHandshake, 0, 1), aRecord(recordChangeCipherSpec, 0, 1)), passed,
		},
		{"change of cipher with another body", established, 0, aRecord(recordChangeCipherSpec, 0, 2), dropMalformed},
		{"change of cipher without a body", established, 0, aRecord(recordChangeCipherSpec, 0), dropMalformed},
		{"spoofed alert", established, 0, aRecord(recordAlert, 0, 1, 0), dropPlaintext},
		{"alert", established, 0, aRecord(recordAlert, 1, 1, 0), passed},
		{"data", established, 0, aRecord(recordData, 1, 1), passed},
		{"data, later", authenticated, 0, aRecord(recordData, 1, 1), passed},
		{"late handshake", authenticated, 0, aRecord(recordHandshake, 0, 1), dropLatePlaintext},
		{"late change of cipher", authenticated, 0, aRecord(recordChangeCipherSpec, 0, 1), dropLatePlaintext},
		{"late plaintext data", authenticated, 0, aRecord(recordData, 0, 1), dropPlaintext},
		{"heartbeat", authenticated, 0, aRecord(24, 1, 1), dropRecordType},
		{"unknown type", handshaking, 0, aRecord(99, 0, 1), dropRecordType},
		{"connection ID without any", authenticated, 0, aRecord(recordConnectionID, 1, 1), dropRecordType},
		{"connection ID", authenticated, 4, withCID("abcd", 1, 2), passed},
		{"two with connection IDs", authenticated, 4, join(withCID("abcd", 1, 2), withCID("abcd", 3)), passed},
		{"connection ID in plaintext", handshaking, 4, with(withCID("abcd", 1), 4, 0), dropPlaintext},
		{"connection ID cut short", authenticated, 4, withCID("abcd")[:14], dropMalformed},
		{"nothing", handshaking, 0, nil, dropMalformed},
		{"half a header", handshaking, 0, []byte{recordHandshake, 0xfe}, dropMalformed},
		{"longer than the datagram", handshaking, 0, with(aRecord(recordHandshake, 0, 1), 11, 9), dropMalformed},
		{"bytes behind the last record", handshaking, 0, append(aRecord(recordHandshake, 0, 1), 0), dropMalformed},
	} {
		g := guard{cid: tt.cid}
		g.established.Store(tt.phase >= established)
		g.authenticated.Store(tt.phase >= authenticated)
		if got := g.check(tt.b); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestGuardCapsTheHandshake(t *testing.T) {
	var g guard
	for range maxHandshakeDatagrams {
		if why := g.check(aRecord(recordHandshake, 0, 1)); why != passed {
			t.Fatal(why)
		}
	}
	if why := g.check(aRecord(recordHandshake, 1, 1)); why != dropHandshakeLimit {
		t.Errorf("one more: %q", why)
	}
	g.established.Store(true)
	if why := g.check(aRecord(recordHandshake, 0, 1)); why != dropHandshakeLimit {
		t.Errorf("plaintext to an established session: %q", why)
	}
	if why := g.check(aRecord(recordData, 1, 1)); why != passed {
		t.Errorf("data is capped: %q", why)
	}
}

func TestGuardSeesServerHello(t *testing.T) {
	if !isServerHello(aRecord(recordHandshake, 0, aMessage(messageServerHello, 1, make([]byte, 38))...)) {
		t.Error("a ServerHello is not seen")
	}
	for _, b := range [][]byte{
		nil, aRecord(recordHandshake, 0), aHello(0, 1),
		aRecord(recordAlert, 0, messageServerHello), aRecord(recordHandshake, 1, 2),
	} {
		if isServerHello(b) {
			t.Errorf("% x is one", b)
		}
	}
}

// Whatever comes, an unauthenticated record never passes to a session that has authenticated data, and nothing passes
// that is not whole records.
func FuzzGuard(f *testing.F) {
	f.Add(aHello(0, 0xc02b), true, true, 0)
	f.Add(aRecord(recordData, 1, 1, 2, 3), true, true, 8)
	f.Add(aRecord(recordConnectionID, 1, make([]byte, 20)...), true, false, 8)
	f.Fuzz(func(t *testing.T, b []byte, established, authenticated bool, cid int) {
		g := guard{cid: min(max(cid, 0), 255)}
		g.established.Store(established || authenticated)
		g.authenticated.Store(authenticated)
		isHello(b)
		isServerHello(b)
		if g.check(b) != passed {
			return
		}
		for rest := b; len(rest) > 0; {
			n, ok := g.recordSize(rest)
			if !ok || n < recordHeader {
				t.Fatalf("% x passed", b)
			}
			if epoch := binary.BigEndian.Uint16(rest[3:]); epoch == 0 && (authenticated || rest[0] == recordData) {
				t.Fatalf("% x passed", b)
			}
			rest = rest[n:]
		}
	})
}
