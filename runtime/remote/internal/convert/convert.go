package convert

import (
	"iter"
	"net/netip"
	"strings"
	"time"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
)

// MaxBatchBytes is the size over which a batch of messages is split. gRPC takes messages of up to 4 MiB unless a handler says otherwise.
const MaxBatchBytes = 1 << 20

// text makes s valid UTF-8. Certificates and topics come from outside, and protobuf refuses a whole callback for one wrong byte.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

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

// Batches converts messages in batches of at most count messages, and at most size bytes where a batch has more than one.
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

// batchLen is how many of messages go into the next batch.
func batchLen(messages []gateway.Message, count, size int) int {
	n, bytes := 0, 0
	for n < len(messages) && n < count {
		bytes += len(messages[n].Payload) + len(messages[n].Topic)
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

func ClientInfo(c *exproto.ClientInfo) gateway.ClientInfo {
	return gateway.ClientInfo{
		ProtoName: c.GetProtoName(), ProtoVersion: c.GetProtoVer(), ClientID: c.GetClientid(), Username: c.GetUsername(), Mountpoint: c.GetMountpoint(),
	}
}

// CodeResponse puts a result into ExProto's words: codes that only exgate has become UNKNOWN, and their message tells.
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

func StartTimer(c gateway.ConnectionAdapter, kind exproto.TimerType, seconds uint32) gateway.Result {
	if _, known := exproto.TimerType_name[int32(kind)]; !known {
		return gateway.Refuse(gateway.CodeParamsTypeError, "timer type %d does not exist", kind)
	}
	return c.StartTimer(gateway.TimerType(kind), seconds)
}

// maxErrorText bounds what of a handler's error text goes into an error of ours.
const maxErrorText = 256

func Shorten(s string) string {
	if len(s) > maxErrorText {
		s = s[:maxErrorText] + "..."
	}
	return strings.ToValidUTF8(s, "")
}

// MaxMessageBytes bounds what comes from a handler: it sends 8 MiB in one Send, and a device's send queue holds 16 MiB.
const MaxMessageBytes = 16 << 20

// Flow-control windows, in bytes. With a size that is not fixed gRPC pings the peer when it has received something, to learn what the size ought to be.
const (
	StreamWindow = 1 << 20
	ConnWindow   = 4 << 20
)
