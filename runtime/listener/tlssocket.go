package listener

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// tlsChunk is the plaintext encrypted at once: one full record.
const tlsChunk = 16 << 10

// tlsSocket is one TLS connection. Like streamSocket, it holds buffers only while there is data to read.
//
// Writing never waits inside crypto/tls. A chunk whose ciphertext the kernel did not accept in full counts as
// unwritten, so the gateway passes its plaintext again; it is not encrypted a second time, but counted once its
// ciphertext has been sent. This relies on sendQueue, which starts the next write with the unwritten bytes.
type tlsSocket struct {
	*streamSocket
	tls  *tls.Conn
	wire *tlsWire
	cert *gateway.CertificateInfo

	encrypted int // how much of the next write is already in the wire; owned by the writer
}

var _ gateway.Transport = (*tlsSocket)(nil)

// Info describes the peer, with the subject of its certificate if it sent one.
func (s *tlsSocket) Info() gateway.ConnInfo {
	info := s.streamSocket.Info()
	info.SocketType, info.PeerCert = gateway.SocketSSL, s.cert
	return info
}

// serve reads until the connection or the peer ends.
func (s *tlsSocket) serve(c *gateway.Conn) {
	err := s.receive(c)
	s.dropCiphertext()
	if err == errReplaceReader {
		go s.serve(c)
		return
	}
	if err == gateway.ErrClosed {
		s.discard()
		err = net.ErrClosed
	}
	s.ended(c, err)
}

func (s *tlsSocket) receive(c *gateway.Conn) error {
	for c.WaitReadable() == nil {
		err := s.receiveOne(c)
		if err == errNothingYet {
			err = s.fill()
		}
		if err != nil {
			return err
		}
	}
	return gateway.ErrClosed
}

// receiveOne decrypts available data and passes it to the connection.
func (s *tlsSocket) receiveOne(c *gateway.Conn) error {
	if early := s.early; len(early) > 0 { // decrypted before; see pass
		s.early = nil
		s.pass(c, early)
		return nil
	}
	_, err := s.decrypt(func(b []byte) { s.pass(c, b) })
	return err
}

// decrypt calls f with plaintext, if there is any.
func (s *tlsSocket) decrypt(f func(b []byte)) (int, error) {
	plain := readBuffers.Get().(*[readBuffer]byte)
	defer readBuffers.Put(plain)
	n, err := s.tls.Read(plain[:])
	if n > 0 {
		f(plain[:n])
	}
	return n, err
}

// fill waits for ciphertext without holding a buffer.
func (s *tlsSocket) fill() error {
	s.dropCiphertext()
	if err := s.read(); err != nil {
		return err
	}
	s.wire.in = s.buf[:s.n]
	return nil
}

func (s *tlsSocket) dropCiphertext() {
	s.wire.in = nil
	s.giveBack()
}

// TryWrite writes what the kernel accepts without waiting.
func (s *tlsSocket) TryWrite(b []byte) (int, error) { return s.write(b, s.wire.flushNow) }

// Write writes all of b, or fails at the write deadline.
func (s *tlsSocket) Write(b []byte) (int, error) { return s.write(b, s.wire.flush) }

func (s *tlsSocket) write(b []byte, flush func() (bool, error)) (int, error) {
	for n := 0; ; {
		done, err := flush()
		if err != nil || !done {
			return n, err
		}
		n += s.encrypted
		s.encrypted = 0
		if n == len(b) {
			return n, nil
		}
		chunk := b[n:min(len(b), n+tlsChunk)]
		if _, err := s.tls.Write(chunk); err != nil {
			return n, err
		}
		s.encrypted = len(chunk)
	}
}

// CloseWrite sends close_notify and FIN, and gives the peer the time linger to close its side.
func (s *tlsSocket) CloseWrite(linger time.Duration) error {
	if err := s.tls.CloseWrite(); err != nil {
		return err
	}
	if done, err := s.wire.flushNow(); err != nil || done {
		return s.finish(linger, err)
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(linger)); err != nil {
		return err
	}
	go func() { // the kernel's buffer is full, and the caller must not wait
		_, err := s.wire.flush()
		_ = s.finish(linger, err)
	}()
	return s.deadline.giveUpAfter(linger)
}

func (s *tlsSocket) finish(linger time.Duration, err error) error {
	if err != nil {
		return err
	}
	return s.streamSocket.CloseWrite(linger)
}
