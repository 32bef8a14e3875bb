package listener

import (
	"bufio"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// maxProxyLine is the longest line of PROXY protocol version 1, with its CRLF.
const maxProxyLine = 107

var (
	errProxyLineEnd  = errors.New("no CRLF within the 107 bytes that a PROXY line may have")
	errProxyLineForm = errors.New("a PROXY line is PROXY TCP4|TCP6 SOURCE DESTINATION PORT PORT, or PROXY UNKNOWN")
)

// readProxyLine reads a header of version 1, in however many segments it comes. It takes addresses of either family in lines of either: nginx writes an
// IPv6 source and an IPv4 destination into one TCP6 line. The addresses are invalid after UNKNOWN.
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
