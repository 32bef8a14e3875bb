package wasm

import (
	"iter"
	"net/netip"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/runtime/gateway"
)

func appendConnInfo(b []byte, info gateway.ConnInfo) []byte {
	c := hostabi.ConnInfo{SocketType: uint32(info.SocketType), Peer: address(info.Peer), Local: address(info.Local)}
	if info.PeerCert != nil {
		c.PeerCert = &hostabi.CertificateInfo{
			CommonName:        info.PeerCert.CommonName,
			DistinguishedName: info.PeerCert.DistinguishedName,
		}
	}
	for _, p := range info.Properties {
		c.Properties = append(c.Properties, hostabi.Property(p))
	}
	return hostabi.AppendConnInfo(b, c)
}

func address(a netip.AddrPort) hostabi.Address {
	if !a.IsValid() {
		return hostabi.Address{}
	}
	return hostabi.Address{Host: a.Addr().Unmap().String(), Port: uint32(a.Port())}
}

// messageBodies yields the bodies of MESSAGES events. Each holds as many messages as fit into limit, and at least one.
// A body is valid until the next one.
func messageBodies(messages []gateway.Message, limit int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var body []byte
		for _, m := range messages {
			start := len(body)
			body = hostabi.AppendMessage(body, message(m))
			if start == 0 || len(body) <= limit {
				continue
			}
			if !yield(body[:start]) {
				return
			}
			body = append(body[:0], body[start:]...)
		}
		if len(body) > 0 {
			yield(body)
		}
	}
}

func message(m gateway.Message) hostabi.Message {
	return hostabi.Message{
		Node: m.Node, ID: m.ID, QoS: uint32(m.QoS), From: m.From, Topic: m.Topic, Payload: m.Payload,
		Timestamp: uint64(max(m.Timestamp.UnixMilli(), 0)), Properties: hostProperties(m.Properties),
	}
}

func hostProperties(p *gateway.Properties) *hostabi.Properties {
	if p == nil {
		return nil
	}
	h := &hostabi.Properties{
		Retain: p.Retain, Expiry: p.Expiry, ContentType: p.ContentType, ResponseTopic: p.ResponseTopic,
		Correlation: p.Correlation,
	}
	for _, u := range p.User {
		h.User = append(h.User, hostabi.Property(u))
	}
	return h
}

// properties parses the properties that a guest publishes with. The gateway makes the other checks.
func properties(b []byte) (*gateway.Properties, hostabi.Code) {
	if len(b) > 2*gateway.MaxPropertyBytes {
		return nil, hostabi.CodeLimit
	}
	h, err := hostabi.ParseProperties(b)
	if err != nil {
		return nil, hostabi.CodeParamsTypeError
	}
	p := &gateway.Properties{
		Retain: h.Retain, Expiry: h.Expiry, ContentType: h.ContentType, ResponseTopic: h.ResponseTopic,
		Correlation: h.Correlation,
	}
	for _, u := range h.User {
		p.User = append(p.User, gateway.Property(u))
	}
	return p, hostabi.CodeSuccess
}
