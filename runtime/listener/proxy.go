package listener

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pires/go-proxyproto"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/listener/admission"
)

// ProxyConfig configures the PROXY protocol, versions 1 and 2, with which load balancers pass on the address of a
// client. Every connection must begin with a header and come from a trusted source; peers on a unix socket are trusted.
type ProxyConfig struct {
	// Trusted lists the networks of the load balancers; connections from elsewhere are refused. Required, except on
	// unix sockets.
	Trusted []netip.Prefix
	// Timeout bounds the reading of the header. If zero, 3 s.
	Timeout time.Duration
}

// proxyBuffer is the size of one read; a longer header takes several.
const proxyBuffer = 512

// proxy reads the PROXY headers of one listener's connections.
type proxy struct {
	trusted []netip.Prefix
	timeout time.Duration
	refused *prometheus.CounterVec // labelled with the reason
}

var errUntrusted = errors.New("the source is not in proxy_protocol.trusted")

var errNoProxies = errors.New("PROXY protocol: no trusted sources, so every connection would be refused")

func newProxy(cfg *ProxyConfig, network string, refused *prometheus.CounterVec) (*proxy, error) {
	if cfg == nil {
		return nil, nil
	}
	if len(cfg.Trusted) == 0 && network != "unix" {
		return nil, errNoProxies
	}
	p := &proxy{timeout: cfg.Timeout, refused: refused}
	if p.timeout == 0 {
		p.timeout = 3 * time.Second
	}
	for _, prefix := range cfg.Trusted {
		p.trusted = append(p.trusted, unmapPrefix(prefix).Masked())
	}
	return p, nil
}

// unmapPrefix converts an IPv4-mapped prefix such as ::ffff:10.0.0.0/104 to 10.0.0.0/8.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// trusts reports whether source may send headers. Peers on a unix socket, which have no address, may.
func (p *proxy) trusts(source netip.Addr) bool {
	return !source.IsValid() || slices.ContainsFunc(p.trusted,
		func(t netip.Prefix) bool { return t.Contains(source.WithZone("")) })
}

// read reads the header and takes the socket's addresses from it. It returns the device's address, which is invalid if
// the connection is the proxy's own.
func (p *proxy) read(s *streamSocket, e *openingConn) (netip.Addr, error) {
	e.bound(p.timeout)
	peer, local, rest, err := readProxyHeader(s.conn)
	if err != nil {
		reason := proxyReason(s, e, err)
		p.refused.WithLabelValues(reason).Inc()
		return netip.Addr{}, &admission.OpeningError{Stage: "PROXY header", Result: reason, Err: err}
	}
	if peer.IsValid() {
		s.peer, s.local = peer, local
	}
	s.early = rest
	return peer.Addr(), nil
}

func proxyReason(s *streamSocket, e *openingConn, err error) string {
	switch {
	case e.evicted.Load() || s.evicted.Load():
		return "busy"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	}
	return "malformed"
}

var errProxyAddress = errors.New("not TCP addresses")

// readProxyHeader returns the addresses in a header and any bytes read beyond it. The addresses are invalid if the
// connection is the proxy's own (LOCAL) or the header has no internet addresses (UNKNOWN, UNSPEC, unix sockets).
func readProxyHeader(r io.Reader) (peer, local netip.AddrPort, rest []byte, err error) {
	in := bufio.NewReaderSize(r, proxyBuffer)
	line, err := peekProxySignature(in)
	if err != nil {
		return peer, local, nil, err
	}
	if line {
		peer, local, err = readProxyLine(in)
	} else {
		peer, local, err = readProxyBinary(in)
	}
	if err != nil {
		return peer, local, nil, err
	}
	if in.Buffered() > 0 {
		beyond, _ := in.Peek(in.Buffered())
		rest = slices.Clone(beyond)
	}
	return peer, local, rest, nil
}

// errProxySignature is the error for a device that bypasses its proxy, or a proxy that sends no header.
var errProxySignature = errors.New("the connection does not begin with a PROXY header")

// peekProxySignature reports whether a header of version 1, a line, follows. It fails at the first byte that begins
// neither version: a few wrong bytes are refused at once, and not when the timeout has passed.
func peekProxySignature(in *bufio.Reader) (line bool, err error) {
	first, err := in.Peek(1)
	if err != nil {
		return false, err
	}
	line = first[0] == proxyLine[0]
	signature := proxyproto.SIGV2
	if line {
		signature = proxyLine
	}
	for i := range signature {
		got, err := in.Peek(i + 1)
		if err != nil {
			return false, err
		}
		if got[i] != signature[i] {
			return false, errProxySignature
		}
	}
	return line, nil
}

// proxyLine begins a header of version 1.
var proxyLine = []byte("PROXY ")

// proxyPrefix is the size of the fixed part of a version 2 header: signature, command, family and length.
const proxyPrefix = 16

// readProxyBinary reads a version 2 header.
func readProxyBinary(in *bufio.Reader) (peer, local netip.AddrPort, err error) {
	prefix, err := in.Peek(proxyPrefix)
	if err == nil && prefix[12] == byte(proxyproto.PROXY) && prefix[13] == byte(proxyproto.UNSPEC) {
		prefix[12] = byte(proxyproto.LOCAL) // the library refuses UNSPEC unless the command is LOCAL
	}
	h, err := proxyproto.Read(in)
	if err != nil {
		return peer, local, err
	}
	if h.Command.IsLocal() || h.TransportProtocol == proxyproto.UnixStream {
		return peer, local, nil
	}
	source, destination, ok := h.TCPAddrs()
	if !ok {
		return peer, local, errProxyAddress
	}
	return addrPort(source), addrPort(destination), nil
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// maxProxyLine is the longest line of PROXY protocol version 1, with its CRLF.
const maxProxyLine = 107

var (
	errProxyLineEnd  = errors.New("no CRLF within 107 bytes, the longest PROXY line")
	errProxyLineForm = errors.New("a PROXY line is PROXY TCP4|TCP6 SOURCE DESTINATION PORT PORT, or PROXY UNKNOWN")
)

// readProxyLine reads a version 1 header, which may arrive in several segments. It accepts addresses of either family
// in TCP4 and TCP6 lines: nginx writes an IPv6 source and an IPv4 destination into one TCP6 line. The addresses are
// invalid after UNKNOWN.
func readProxyLine(in *bufio.Reader) (peer, local netip.AddrPort, err error) {
	line, err := readUntilCRLF(in)
	if err != nil {
		return peer, local, err
	}
	fields := strings.Split(line, " ")
	if fields[0] != "PROXY" || len(fields) < 2 {
		return peer, local, errProxyLineForm
	}
	switch {
	case fields[1] == "UNKNOWN":
		return peer, local, nil
	case fields[1] != "TCP4" && fields[1] != "TCP6", len(fields) != 6:
		return peer, local, errProxyLineForm
	}
	if peer, err = proxyAddress(fields[2], fields[4]); err == nil {
		local, err = proxyAddress(fields[3], fields[5])
	}
	if err != nil {
		return netip.AddrPort{}, netip.AddrPort{}, err
	}
	return peer, local, nil
}

// readUntilCRLF returns a line without its CRLF.
func readUntilCRLF(in *bufio.Reader) (string, error) {
	line := make([]byte, 0, maxProxyLine)
	for len(line) < maxProxyLine {
		b, err := in.ReadByte()
		if err != nil {
			return "", err
		}
		line = append(line, b)
		if b == '\n' {
			text, ok := strings.CutSuffix(string(line), "\r\n")
			if !ok {
				return "", errProxyLineEnd
			}
			return text, nil
		}
	}
	return "", errProxyLineEnd
}

func proxyAddress(address, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" {
		return netip.AddrPort{}, errProxyLineForm
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, errProxyLineForm
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}
