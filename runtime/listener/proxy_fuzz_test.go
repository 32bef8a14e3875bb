package listener

import (
	"bytes"
	"net"
	"testing"
	"testing/iotest"

	"github.com/pires/go-proxyproto"
)

// Whatever a header claims to be, what is read beyond it is the end of what was read, and both addresses are there or
// neither.
func FuzzProxyHeader(f *testing.F) {
	source, destination := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 40000},
		&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 7993}
	for _, version := range []byte{1, 2} {
		header, err := proxyproto.HeaderProxyFromAddrs(version, source, destination).Format()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(header, "hello"...))
		f.Add(header[:len(header)-1])
	}
	local, _ := proxyproto.HeaderProxyFromAddrs(2, nil, nil).Format()
	f.Add(append(local, "\x16\x03\x01"...))
	f.Add([]byte("PROXY UNKNOWN\r\nx"))
	f.Add([]byte("PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n"))
	f.Add(append(append([]byte{}, proxyproto.SIGV2...), 0x21, 0x11, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, in []byte) {
		unread := bytes.NewReader(in)
		peer, local, rest, err := readProxyHeader(unread)
		if err != nil {
			return
		}
		begun := bytes.TrimSuffix(in, in[len(in)-unread.Len():])
		if !bytes.HasSuffix(begun, rest) || len(rest) >= len(begun) {
			t.Errorf("%q is not what follows a header in %q", rest, in)
		}
		if peer.IsValid() != local.IsValid() || peer.Addr().Is4In6() || peer.Addr().Zone() != "" {
			t.Errorf("addresses %v and %v", peer, local)
		}
		again, _, _, err := readProxyHeader(iotest.OneByteReader(bytes.NewReader(in)))
		if err != nil || again != peer {
			t.Errorf("in pieces: %v, %v, not %v", again, err, peer)
		}
	})
}
