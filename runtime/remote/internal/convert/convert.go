package convert

import (
	"iter"
	"net/netip"
	"strings"
	"time"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
)

// MaxBatchBytes is the size above which a batch of messages is split. gRPC accepts messages of up to 4 MiB unless a
// handler configures more.
const MaxBatchBytes = 1 << 20

// text makes s valid UTF-8. Certificates and topics come from outside, and protobuf rejects a whole message for one
// invalid byte.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// ConnInfo converts the description of a new connection.
func ConnInfo(info gateway.ConnInfo) *exproto.ConnInfo {
	converted := &exproto.ConnInfo{
		Socktype: exproto.SocketType(info.SocketType),
		Peername: address(info.Peer),
		Sockname: address(info.Local),
	}
	if cert := info.PeerCert; cert != nil {
		converted.Peercert = &exproto.CertificateInfo{Cn: text(cert.CommonName), Dn: text(cert.DistinguishedName)}
	}
	return converted
}

func address(a netip.AddrPort) *exproto.Address {
	if !a.IsValid() {
		return &exproto.Address{}
	}
	return &exproto.Address{Host: a.Addr().Unmap().String(), Port: uint32(a.Port())}
}

// Batches converts messages into batches of at most count messages. A batch of several messages has at most size bytes.
func Batches(messages []gateway.Message, count, size int) iter.Seq[[]*exproto.Message] {
	return func(yield func([]*exproto.Message) bool) {
		for len(messages) > 0 {
			n := batchLen(messages, count, size)
			if !yield(convertMessages(messages[:n])) {
				return
			}
			messages = messages[n:]
		}
	}
}

// batchLen returns how many messages go into the next batch.
func batchLen(messages []gateway.Message, count, size int) int {
	n, bytes := 0, 0
	for n < len(messages) && n < count {
		bytes += len(messages[n].Payload) + len(messages[n].Topic) + messages[n].Properties.Size()
		if n > 0 && bytes > size {
			break
		}
		n++
	}
	return n
}

func convertMessages(messages []gateway.Message) []*exproto.Message {
	converted := make([]*exproto.Message, len(messages))
	for i := range messages {
		m := &messages[i]
		converted[i] = &exproto.Message{
			Node: text(m.Node), Id: text(m.ID), Qos: uint32(m.QoS), From: text(m.From), Topic: text(m.Topic),
			Payload: m.Payload, Timestamp: milliseconds(m.Timestamp),
		}
	}
	return converted
}

func milliseconds(t time.Time) uint64 {
	return uint64(max(0, t.UnixMilli()))
}

// ClientInfo converts the identity that a handler authenticates a device with.
func ClientInfo(c *exproto.ClientInfo) gateway.ClientInfo {
	return gateway.ClientInfo{
		ProtoName: c.GetProtoName(), ProtoVersion: c.GetProtoVer(), ClientID: c.GetClientid(),
		Username: c.GetUsername(), Mountpoint: c.GetMountpoint(),
	}
}

// CodeResponse converts a result to ExProto. Codes that only exgate has become UNKNOWN, and the message names them.
func CodeResponse(r gateway.Result) *exproto.CodeResponse {
	response := &exproto.CodeResponse{Code: exproto.ResultCode(r.Code), Message: text(r.Message)}
	if _, known := exproto.ResultCode_name[int32(r.Code)]; !known {
		response.Code = exproto.ResultCode_UNKNOWN
		if r.Message == "" {
			response.Message = r.Code.String()
		}
	}
	return response
}

// StartTimer starts a timer of conn if its type is known.
func StartTimer(c gateway.ConnectionAdapter, kind exproto.TimerType, seconds uint32) gateway.Result {
	if _, known := exproto.TimerType_name[int32(kind)]; !known {
		return gateway.Refuse(gateway.CodeParamsTypeError, "unknown timer type %d", kind)
	}
	return c.StartTimer(gateway.TimerType(kind), seconds)
}

// maxErrorText bounds the text of a remote error in our errors and logs.
const maxErrorText = 256

// Shorten bounds a text of the other side for errors and logs, and makes it valid UTF-8.
func Shorten(s string) string {
	if len(s) > maxErrorText {
		s = s[:maxErrorText] + "..."
	}
	return strings.ToValidUTF8(s, "")
}

// MaxMessageBytes bounds messages from a handler: one Send may have 8 MiB, and the send queue of a device holds 16 MiB.
const MaxMessageBytes = 16 << 20

// Flow-control windows, in bytes. Without a static size gRPC pings the peer whenever it has received data, to measure
// the bandwidth.
const (
	StreamWindow = 1 << 20
	ConnWindow   = 4 << 20
)
