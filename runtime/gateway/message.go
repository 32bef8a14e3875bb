package gateway

import (
	"net/netip"
	"time"
)

// SocketType is the kind of socket a device uses. The values are ExProto's.
type SocketType uint8

// The socket types of ExProto.
const (
	SocketTCP SocketType = iota
	SocketSSL
	SocketUDP
	SocketDTLS
)

// TimerType names a timer of a connection. The values are ExProto's.
type TimerType uint8

// TimerKeepalive is the only timer type that ExProto has.
const TimerKeepalive TimerType = 0

// CertificateInfo is the subject of a device's certificate.
type CertificateInfo struct {
	CommonName        string
	DistinguishedName string // RFC 4514
}

// ConnInfo describes a connection to its handler.
type ConnInfo struct {
	SocketType SocketType
	Peer       netip.AddrPort
	Local      netip.AddrPort
	PeerCert   *CertificateInfo // nil without TLS, or where the device sent none
}

// ClientInfo is what a handler learned of a device. Only ClientID is required.
type ClientInfo struct {
	ProtoName    string
	ProtoVersion string
	ClientID     string
	Username     string
	Mountpoint   string
}

// Message is a message from the upstream.
type Message struct {
	Node      string // the gateway's node name
	ID        string // unique
	QoS       byte   // as it was delivered: at most the subscription's
	From      string // client id of the publisher; empty where the upstream does not tell (MQTT does not)
	Topic     string
	Payload   []byte
	Timestamp time.Time // when the gateway received it
}
