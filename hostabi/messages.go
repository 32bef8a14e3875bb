package hostabi

import (
	"fmt"
	"unicode/utf8"
)

// Address is one end of a connection.
type Address struct {
	Host string
	Port uint32
}

// CertificateInfo is the subject of a device's certificate.
type CertificateInfo struct {
	CommonName        string
	DistinguishedName string
}

// ConnInfo is the body of [KindCreated].
type ConnInfo struct {
	SocketType uint32 // 0 TCP, 1 SSL, 2 UDP, 3 DTLS
	Peer       Address
	Local      Address
	PeerCert   *CertificateInfo // nil without a certificate
	Properties []Property       // what else the listener knows, such as the path of a WebSocket
}

// Property is a named value of a connection or of a message.
type Property struct{ Name, Value string }

// Message is a message in [KindMessages].
type Message struct {
	Node      string
	ID        string
	QoS       uint32
	From      string
	Topic     string
	Payload   []byte
	Timestamp uint64 // milliseconds since 1970

	Properties *Properties // nil if it has none. Since minor 1
}

// AuthenticateRequest is the argument of authenticate.
type AuthenticateRequest struct {
	ProtoName    string
	ProtoVersion string
	ClientID     string
	Username     string
	Mountpoint   string
	Password     string
}

// AppendConnInfo appends the message ConnInfo to b.
func AppendConnInfo(b []byte, c ConnInfo) []byte {
	b = appendUint(b, 1, uint64(c.SocketType))
	b = appendAddress(b, 2, c.Peer)
	b = appendAddress(b, 3, c.Local)
	if c.PeerCert != nil {
		b = appendPair(b, 4, c.PeerCert.CommonName, c.PeerCert.DistinguishedName)
	}
	for _, p := range c.Properties {
		b = appendPair(b, 5, p.Name, p.Value)
	}
	return b
}

// appendPair appends a message of two texts.
func appendPair(b []byte, field int, first, second string) []byte {
	pair := appendText(appendText(nil, 1, first), 2, second)
	return append(appendLength(b, field, len(pair)), pair...)
}

func appendAddress(b []byte, field int, a Address) []byte {
	address := appendUint(appendText(nil, 1, a.Host), 2, uint64(a.Port))
	return append(appendLength(b, field, len(address)), address...)
}

// AppendMessage appends m to b as a ReceivedMessagesRequest without conn: several requests concatenated are one with
// all their messages.
func AppendMessage(b []byte, m Message) []byte {
	var props []byte
	size := m.size()
	if m.Properties != nil {
		props = AppendProperties(nil, *m.Properties)
		size += textSize(len(props))
	}
	b = appendLength(b, 2, size)
	b = appendText(b, 1, m.Node)
	b = appendText(b, 2, m.ID)
	b = appendUint(b, 3, uint64(m.QoS))
	b = appendText(b, 4, m.From)
	b = appendText(b, 5, m.Topic)
	b = appendText(b, 6, m.Payload)
	b = appendUint(b, 7, m.Timestamp)
	return appendText(b, 8, props)
}

func (m Message) size() int {
	n := uintSize(uint64(m.QoS)) + uintSize(m.Timestamp)
	for _, length := range [...]int{len(m.Node), len(m.ID), len(m.From), len(m.Topic), len(m.Payload)} {
		n += textSize(length)
	}
	return n
}

// textSize returns the size of a text field of length bytes with a field number below 16.
func textSize(length int) int {
	if length == 0 {
		return 0
	}
	return uintSize(uint64(length)) + length
}

// uintSize returns the size of a number field with a field number below 16.
func uintSize(v uint64) int {
	if v == 0 {
		return 0
	}
	n := 2
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// AppendCodeResponse appends the message CodeResponse to b: the body of [KindResult].
func AppendCodeResponse(b []byte, code Code, message string) []byte {
	return appendText(appendUint(b, 1, uint64(code)), 2, message)
}

// AppendState appends the state of a device to the CodeResponse b: the field 3, which ExProto does not have.
func AppendState(b, state []byte) []byte {
	if len(state) == 0 {
		return b
	}
	return appendText(b, 3, string(state))
}

// ParseAuthenticateRequest parses an AuthenticateRequest. Its strings are copies. Unknown fields are skipped, the last
// occurrence of a field counts, and text must be UTF-8.
func ParseAuthenticateRequest(b []byte) (a AuthenticateRequest, err error) {
	err = eachText(b, "AuthenticateRequest", func(number uint64, text []byte) error {
		switch number {
		case 2:
			return a.parseClientInfo(text)
		case 3:
			return setText(&a.Password, "password", text)
		}
		return nil
	})
	return a, err
}

func (a *AuthenticateRequest) parseClientInfo(b []byte) error {
	fields := [...]*string{1: &a.ProtoName, 2: &a.ProtoVersion, 3: &a.ClientID, 4: &a.Username, 5: &a.Mountpoint}
	names := [...]string{1: "proto_name", 2: "proto_ver", 3: "clientid", 4: "username", 5: "mountpoint"}
	return eachText(b, "ClientInfo", func(number uint64, text []byte) error {
		if number >= uint64(len(fields)) {
			return nil
		}
		return setText(fields[number], names[number], text)
	})
}

// eachText calls f for each length-delimited field of a message.
func eachText(b []byte, message string, f func(number uint64, text []byte) error) error {
	for len(b) > 0 {
		field, rest, err := next(b)
		if err != nil {
			return fmt.Errorf("reading %s: %w", message, err)
		}
		if b = rest; field.wire != wireBytes {
			continue
		}
		if err := f(field.number, field.bytes); err != nil {
			return err
		}
	}
	return nil
}

func setText(to *string, name string, text []byte) error {
	if !utf8.Valid(text) {
		return fmt.Errorf("reading %s: %w: not UTF-8", name, errMessage)
	}
	*to = string(text)
	return nil
}
