package backend

import (
	"context"
	"encoding/binary"
	"net"

	"google.golang.org/grpc/credentials"
)

// The parts of HTTP/2 that are read here: RFC 9113, sections 4.1 and 6.5.
const (
	frameHeader        = 9
	frameSettings      = 4
	flagAck            = 1
	settingSize        = 6
	settingMaxStreams  = 3
	maxSettingsPayload = 4096 // bytes; the rest of a longer frame is skipped
)

// reading wraps creds: its connections call learned with the number of concurrent streams that the server allows,
// whenever it sends it. gRPC does not expose that number. A server that sends none in its first SETTINGS allows
// unlimited.
func reading(creds credentials.TransportCredentials, learned func(streams uint32)) credentials.TransportCredentials {
	return &settingsCredentials{creds, learned}
}

type settingsCredentials struct {
	credentials.TransportCredentials
	learned func(streams uint32)
}

func (c *settingsCredentials) ClientHandshake(
	ctx context.Context, authority string, raw net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		return conn, info, err
	}
	return &settingsConn{Conn: conn, frames: frames{learned: c.learned}}, info, nil
}

func (c *settingsCredentials) Clone() credentials.TransportCredentials {
	return &settingsCredentials{c.TransportCredentials.Clone(), c.learned}
}

// settingsConn reads along. gRPC reads from one goroutine.
type settingsConn struct {
	net.Conn
	frames frames
}

func (c *settingsConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.frames.scan(b[:n])
	return n, err
}

// frames parses the frames of a server and finds MAX_CONCURRENT_STREAMS in its SETTINGS.
type frames struct {
	learned  func(streams uint32)
	header   [frameHeader]byte
	have     int    // bytes of header
	left     int    // bytes of the payload still to come
	reading  bool   // the payload is that of SETTINGS
	settings []byte // of it
	greeted  bool   // the first SETTINGS arrived
}

func (f *frames) scan(b []byte) {
	for len(b) > 0 {
		if f.left == 0 {
			n := copy(f.header[f.have:], b)
			f.have += n
			b = b[n:]
			if f.have < frameHeader {
				return
			}
			f.begin()
			continue
		}
		n := min(f.left, len(b))
		if f.reading && len(f.settings) < maxSettingsPayload {
			f.settings = append(f.settings, b[:min(n, maxSettingsPayload-len(f.settings))]...)
		}
		f.left -= n
		b = b[n:]
		f.end()
	}
}

// begin starts the frame whose header is complete.
func (f *frames) begin() {
	h := &f.header
	f.have, f.left = 0, int(h[0])<<16|int(h[1])<<8|int(h[2])
	f.reading = h[3] == frameSettings && h[4]&flagAck == 0
	f.end()
}

// end reads the settings of a frame whose payload is complete.
func (f *frames) end() {
	if f.left > 0 || !f.reading {
		return
	}
	streams, said := uint32(unlimited), false
	for s := f.settings; len(s) >= settingSize; s = s[settingSize:] {
		if binary.BigEndian.Uint16(s) == settingMaxStreams {
			streams, said = binary.BigEndian.Uint32(s[2:]), true
		}
	}
	if said || !f.greeted {
		f.learned(streams)
	}
	f.greeted, f.reading, f.settings = true, false, nil
}
