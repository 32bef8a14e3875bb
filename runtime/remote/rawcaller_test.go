package remote_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/exgate/exgate/proto/exproto"
)

// rawCaller speaks HTTP/2 to an adapter frame by frame.
type rawCaller struct {
	net.Conn
	*http2.Framer
	headers bytes.Buffer
	encoder *hpack.Encoder
	next    uint32
	drained sync.WaitGroup
}

// dialRaw connects and completes the handshake.
func dialRaw(t testing.TB, address string) (*rawCaller, error) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	c := &rawCaller{Conn: conn, Framer: http2.NewFramer(conn, conn), next: 1}
	c.encoder = hpack.NewEncoder(&c.headers)
	if _, err = io.WriteString(conn, http2.ClientPreface); err == nil {
		err = c.WriteSettings()
	}
	return c, err
}

// drain reads and discards everything.
func (c *rawCaller) drain() { c.drained.Go(func() { _, _ = io.Copy(io.Discard, c.Conn) }) }

// close closes the connection and forgets what it has written.
func (c *rawCaller) close() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	c.drained.Wait()
}

// open begins a call of Send and returns its stream.
func (c *rawCaller) open() (uint32, error) {
	c.headers.Reset()
	for _, h := range [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", exproto.ConnectionAdapter_Send_FullMethodName},
		{":authority", "adapter"},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	} {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	stream := c.next
	c.next += 2
	return stream, c.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: c.headers.Bytes(), EndHeaders: true,
	})
}

// openHuge begins a call whose message claims to be 4 GiB long.
func (c *rawCaller) openHuge() error {
	stream, err := c.open()
	if err == nil {
		err = c.WriteData(stream, false, []byte{0, 0xff, 0xff, 0xff, 0xff, 'x'})
	}
	return err
}

// openAndReset begins a call and resets it ("rapid reset").
func (c *rawCaller) openAndReset() error {
	stream, err := c.open()
	if err == nil {
		err = c.WriteRSTStream(stream, http2.ErrCodeCancel)
	}
	return err
}

// openWithoutEnd begins a call whose headers never end.
func (c *rawCaller) openWithoutEnd() error {
	err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: c.next, BlockFragment: []byte{0x82}})
	for range 100 {
		if err == nil {
			err = c.WriteContinuation(c.next, false, bytes.Repeat([]byte{0x82}, 1000))
		}
	}
	return err
}
