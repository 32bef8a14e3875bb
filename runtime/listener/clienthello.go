package listener

import "encoding/binary"

// What begins a TLS connection, RFC 8446 sections 4 and 5.1.
const (
	tlsRecordHeader  = 5
	tlsMessageHeader = 4
	tlsHandshake     = 22
	tlsClientHello   = 1
)

// maxHeldHello is how much of a ClientHello is held before crypto/tls gets it as it is. Ordinary ones have 250 to 2,000 bytes.
const maxHeldHello = 4 << 10

// helloWhole reports whether crypto/tls can work with b, which is the beginning of a connection: a whole ClientHello is there, more of one than is held,
// or what is none. It may be spread over records.
func helloWhole(b []byte) bool {
	if len(b) >= maxHeldHello {
		return true
	}
	var header []byte // of the message
	held := 0
	for len(b) >= tlsRecordHeader {
		size := int(binary.BigEndian.Uint16(b[3:]))
		if b[0] != tlsHandshake || size == 0 {
			return true
		}
		body := b[tlsRecordHeader:min(len(b), tlsRecordHeader+size)]
		header = append(header, body[:min(len(body), tlsMessageHeader-len(header))]...)
		held += len(body)
		if len(header) > 0 && header[0] != tlsClientHello {
			return true
		}
		if len(header) == tlsMessageHeader && len(body) == size && held-tlsMessageHeader >= int(header[1])<<16|int(header[2])<<8|int(header[3]) {
			return true
		}
		if len(body) < size {
			return false
		}
		b = b[tlsRecordHeader+size:]
	}
	return len(b) > 0 && b[0] != tlsHandshake
}

// readHello reads until helloWhole, and leaves what it read in early. Meanwhile the connection holds no buffer but those few bytes.
func (s *streamSocket) readHello() error {
	hello := s.early
	s.early = nil
	for !helloWhole(hello) {
		if err := s.read(); err != nil {
			s.early = hello
			return err
		}
		hello = append(hello, s.buf[:s.n]...)
		s.giveBack()
	}
	s.early = hello
	return nil
}
