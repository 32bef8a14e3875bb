// Package session holds the parts of the session dialect that know nothing of gRPC streams: frames as bytes, and the events of a connection that wait
// for their acknowledgement.
package session

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of exgate.handler.v1 that are written by hand, because an event is written once and sent as often as it must be.
const (
	frameEvents protowire.Number = 2
	framePing   protowire.Number = 3

	eventConn protowire.Number = 1
	eventSeq  protowire.Number = 2
)

// Kind is the field of what happened in an Event.
type Kind protowire.Number

// The kinds of events.
const (
	Created      Kind = 3
	Bytes        Kind = 4
	TimerTimeout Kind = 5
	Messages     Kind = 6
	Closed       Kind = 7
	Drain        Kind = 8
	Result       Kind = 9
)

// Overhead is what an event takes in a frame beside its body, at most.
const Overhead = 64

// AppendEvent appends an Event to a GatewayFrame. body is what the device sent, or the encoded message of the kind.
func AppendEvent(frame []byte, conn, seq uint64, kind Kind, body []byte) []byte {
	size := protowire.SizeTag(eventConn) + protowire.SizeVarint(conn) +
		protowire.SizeTag(protowire.Number(kind)) + protowire.SizeBytes(len(body))
	if seq != 0 {
		size += protowire.SizeTag(eventSeq) + protowire.SizeVarint(seq)
	}
	frame = protowire.AppendTag(frame, frameEvents, protowire.BytesType)
	frame = protowire.AppendVarint(frame, uint64(size))
	frame = protowire.AppendTag(frame, eventConn, protowire.VarintType)
	frame = protowire.AppendVarint(frame, conn)
	if seq != 0 {
		frame = protowire.AppendTag(frame, eventSeq, protowire.VarintType)
		frame = protowire.AppendVarint(frame, seq)
	}
	frame = protowire.AppendTag(frame, protowire.Number(kind), protowire.BytesType)
	return protowire.AppendBytes(frame, body)
}

// AppendPing appends a ping to a GatewayFrame.
func AppendPing(frame []byte, n uint64) []byte {
	frame = protowire.AppendTag(frame, framePing, protowire.VarintType)
	return protowire.AppendVarint(frame, n)
}
