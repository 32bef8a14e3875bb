package remote_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
)

// refusing is a handler that speaks HTTP/2 frame by frame, in the dialects unary and stream, and refuses streams.
type refusing struct {
	*ledger
	takes     int                                  // concurrent streams on a connection; 0: unlimited
	announces bool                                 // the limit in its SETTINGS
	works     time.Duration                        // time that each call takes
	refuse    func(call int64) bool                // refuses further streams; nil: none
	status    func(call int64) (code, text string) // status of answers; nil: OK
	goAway    func(call int64) bool                // ends the connection before it accepts the call; nil: never

	calls, most atomic.Int64
}

func (s *refusing) serve(t testing.TB) string {
	t.Helper()
	l := listen(t, "")
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { (&refusingConn{server: s, Conn: c, streams: make(map[uint32]*refusingStream)}).run() })
		}
	})
	t.Cleanup(func() { l.Close(); conns.Wait() })
	return l.Addr().String()
}

type refusingConn struct {
	server *refusing
	net.Conn
	mu      sync.Mutex // guards the fields below, and writing
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer
	streams map[uint32]*refusingStream
	gone    bool
	work    sync.WaitGroup
}

type refusingStream struct {
	path string
	data []byte
	call int64

	frames int // of a session
}

func (c *refusingConn) run() {
	defer c.work.Wait()
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	c.framer, c.encoder = http2.NewFramer(c, c), hpack.NewEncoder(&c.block)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var settings []http2.Setting
	if c.server.announces {
		settings = append(settings, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(c.server.takes)})
	}
	c.locked(func() { _ = c.framer.WriteSettings(settings...) })
	for {
		f, err := c.framer.ReadFrame()
		if err != nil || !c.take(f) {
			return
		}
	}
}

func (c *refusingConn) locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// take handles a frame, and returns false at the end of the connection.
func (c *refusingConn) take(f http2.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			_ = c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			_ = c.framer.WritePing(true, f.Data)
		}
	case *http2.MetaHeadersFrame:
		return c.begin(f)
	case *http2.DataFrame:
		s := c.streams[f.StreamID]
		if s == nil {
			return true
		}
		s.data = append(s.data, f.Data()...)
		_ = c.framer.WriteWindowUpdate(0, max(1, uint32(len(f.Data()))))
		if strings.HasSuffix(s.path, "/Session") {
			c.converse(f.StreamID, s)
		}
		if f.StreamEnded() {
			id := f.StreamID
			c.work.Go(func() { c.finish(id, s) })
		}
	case *http2.RSTStreamFrame:
		delete(c.streams, f.StreamID)
	}
	return true
}

func (c *refusingConn) begin(f *http2.MetaHeadersFrame) bool {
	s, call := c.server, c.server.calls.Add(1)
	switch {
	case c.gone:
		return true
	case s.goAway != nil && s.goAway(call):
		c.gone = true
		_ = c.framer.WriteGoAway(max(f.StreamID, 2)-2, http2.ErrCodeNo, nil)
		return len(c.streams) > 0
	case s.takes > 0 && len(c.streams) >= s.takes, s.refuse != nil && s.refuse(call):
		_ = c.framer.WriteRSTStream(f.StreamID, http2.ErrCodeRefusedStream)
		return true
	}
	c.streams[f.StreamID] = &refusingStream{path: f.PseudoValue("path"), call: call}
	if n := int64(len(c.streams)); n > s.most.Load() {
		s.most.Store(n)
	}
	return true
}

// converse answers the hello of a session and records the frames after it.
func (c *refusingConn) converse(id uint32, s *refusingStream) {
	for len(s.data) >= 5 {
		n := 5 + int(s.data[3])<<8 + int(s.data[4])
		if len(s.data) < n {
			return
		}
		s.data = s.data[n:]
		s.frames++
		if s.frames > 1 {
			_, _ = c.server.enter("session", "frame", "frame")
			continue
		}
		hello, _ := proto.Marshal(&handlerv1.HandlerFrame{Hello: &handlerv1.HandlerHello{Version: 1}})
		c.headers(id, false, ":status", "200", "content-type", "application/grpc")
		_ = c.framer.WriteData(id, false, append([]byte{0, 0, 0, 0, byte(len(hello))}, hello...))
	}
}

// finish handles the only event of a stream and answers.
func (c *refusingConn) finish(id uint32, st *refusingStream) {
	s := c.server
	time.Sleep(s.works)
	s.handle(st.path, st.data)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[id] == nil {
		return
	}
	delete(c.streams, id)
	code, text := "0", ""
	if s.status != nil {
		code, text = s.status(st.call)
	}
	c.headers(id, false, ":status", "200", "content-type", "application/grpc")
	if code == "0" {
		_ = c.framer.WriteData(id, false, make([]byte, 5))
	}
	c.headers(id, true, "grpc-status", code, "grpc-message", text)
}

func (c *refusingConn) headers(id uint32, end bool, fields ...string) {
	c.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end,
	})
}

func (s *refusing) handle(path string, data []byte) {
	for len(data) >= 5 {
		n := 5 + int(data[1])<<24 + int(data[2])<<16 + int(data[3])<<8 + int(data[4])
		event := data[5:n]
		data = data[n:]
		switch path[strings.LastIndex(path, "/")+1:] {
		case "OnSocketCreated":
			var r exproto.SocketCreatedRequest
			_ = proto.Unmarshal(event, &r)
			_, _ = s.OnSocketCreated(context.Background(), &r)
		case "OnReceivedBytes":
			var r exproto.ReceivedBytesRequest
			_ = proto.Unmarshal(event, &r)
			_, _ = s.OnReceivedBytes(context.Background(), &r)
		case "OnSocketClosed":
			var r exproto.SocketClosedRequest
			_ = proto.Unmarshal(event, &r)
			_, _ = s.OnSocketClosed(context.Background(), &r)
		}
	}
}
