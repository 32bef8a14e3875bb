package exproto

import (
	"strconv"
	"strings"
)

// SocketType is the type of a device's socket.
type SocketType uint32

// The socket types.
const (
	SocketTCP SocketType = iota
	SocketSSL
	SocketUDP
	SocketDTLS
)

// Address is one end of a connection.
type Address struct {
	Host string
	Port uint32
}

// String returns the address as host:port, with an IPv6 host in brackets. (net.JoinHostPort would link package net into
// every module.)
func (a Address) String() string {
	host := a.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.FormatUint(uint64(a.Port), 10)
}

// CertificateInfo is the subject of a device's certificate.
type CertificateInfo struct {
	CommonName        string
	DistinguishedName string // RFC 4514
}

// ConnInfo describes a connection.
type ConnInfo struct {
	SocketType SocketType
	Peer       Address
	Local      Address
	PeerCert   *CertificateInfo // nil if the device has not presented one

	// Properties has what else the listener knows, such as the path of a WebSocket.
	Properties []Property
}

// Property returns the value of the first property called name, or "".
func (c ConnInfo) Property(name string) string {
	for _, p := range c.Properties {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

func parseConnInfo(b []byte) (info ConnInfo, err error) {
	err = eachField(b, func(f field) (err error) {
		switch f.number {
		case 1:
			info.SocketType = SocketType(uint32Of(f.value))
		case 2:
			info.Peer, err = parseAddress(f.bytes)
		case 3:
			info.Local, err = parseAddress(f.bytes)
		case 4:
			info.PeerCert, err = parseCertificate(f.bytes)
		case 5:
			var p Property
			p, err = parseProperty(f.bytes)
			info.Properties = append(info.Properties, p)
		}
		return err
	})
	return info, err
}

func parseAddress(b []byte) (a Address, err error) {
	err = eachField(b, func(f field) error {
		switch f.number {
		case 1:
			a.Host = string(f.bytes)
		case 2:
			a.Port = uint32Of(f.value)
		}
		return nil
	})
	return a, err
}

func parseCertificate(b []byte) (*CertificateInfo, error) {
	c := new(CertificateInfo)
	err := eachField(b, func(f field) error {
		switch f.number {
		case 1:
			c.CommonName = string(f.bytes)
		case 2:
			c.DistinguishedName = string(f.bytes)
		}
		return nil
	})
	return c, err
}
