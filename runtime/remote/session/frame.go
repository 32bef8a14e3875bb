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

// eventKind is the field of what happened in an Event.
type eventKind protowire.Number

// The kinds of events.
const (
	createdEvent  eventKind = 3
	bytesEvent    eventKind = 4
	timerEvent    eventKind = 5
	messagesEvent eventKind = 6
	closedEvent   eventKind = 7
	drainEvent    eventKind = 8
	resultEvent   eventKind = 9
)

// eventOverhead is what an event takes in a frame beside its body, at most.
const eventOverhead = 64

// appendEvent appends an Event to a GatewayFrame. body is what the device sent, or the encoded message of the kind.
func appendEvent(frame []byte, conn, seq uint64, kind eventKind, body []byte) []byte {
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

// appendPing appends a ping to a GatewayFrame.
func appendPing(frame []byte, n uint64) []byte {
	frame = protowire.AppendTag(frame, framePing, protowire.VarintType)
	return protowire.AppendVarint(frame, n)
}
