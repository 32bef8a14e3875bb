package session

import (
	"fmt"
	"sync"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of exgate.handler.v1 that are encoded by hand, because an event is encoded once and may be sent several times.
const (
	frameEvents protowire.Number = 2
	framePing   protowire.Number = 3

	eventConn protowire.Number = 1
	eventSeq  protowire.Number = 2
)

// eventKind is the field number of an Event's kind.
type eventKind protowire.Number

// All kinds of events.
const (
	createdEvent  eventKind = 3
	bytesEvent    eventKind = 4
	timerEvent    eventKind = 5
	messagesEvent eventKind = 6
	closedEvent   eventKind = 7
	drainEvent    eventKind = 8
	resultEvent   eventKind = 9
	alarmEvent    eventKind = 10
)

// eventOverhead is the maximum size of an encoded event without its body.
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

// resultQueue holds events that need no acknowledgement, in pieces of about half a frame. The zero value is empty. It
// is not safe for concurrent use.
type resultQueue struct {
	pieces [][]byte
	size   int
}

// Size returns the number of queued bytes.
func (q *resultQueue) Size() int { return q.size }

// Add queues an event.
func (q *resultQueue) Add(conn uint64, kind eventKind, body []byte) {
	last := len(q.pieces) - 1
	if last < 0 || len(q.pieces[last]) > maxFrame/2 {
		q.pieces = append(q.pieces, nil)
		last++
	}
	before := len(q.pieces[last])
	q.pieces[last] = appendEvent(q.pieces[last], conn, 0, kind, body)
	q.size += len(q.pieces[last]) - before
}

// Take appends the oldest piece to frame.
func (q *resultQueue) Take(frame []byte) []byte {
	if len(q.pieces) == 0 {
		return frame
	}
	first := q.pieces[0]
	q.size -= len(first)
	if len(q.pieces) > 1 {
		q.pieces = q.pieces[1:]
	} else {
		q.pieces[0] = first[:0]
	}
	return append(frame, first...)
}

// maxFrame is the size at which a frame is full. Only a frame with a single event may be longer.
const maxFrame = 256 << 10

// maxMessage bounds frames. gRPC servers accept no larger message by default.
const maxMessage = 4 << 20

// frame is an encoded GatewayFrame. Sending it passes its memory to gRPC.
type frame struct{ data *[]byte }

var frames = framePool{pool: sync.Pool{New: func() any { return new([]byte) }}}

// newFrame returns an empty frame.
func newFrame() frame { return frame{data: frames.Get(0)} }

// Append lets f append to the frame.
func (f frame) Append(fill func([]byte) []byte) { *f.data = fill(*f.data) }

// Len returns the size in bytes.
func (f frame) Len() int { return len(*f.data) }

// framePool recycles frames that gRPC has written.
type framePool struct{ pool sync.Pool }

func (p *framePool) Get(int) *[]byte { return p.pool.Get().(*[]byte) }

func (p *framePool) Put(b *[]byte) {
	if cap(*b) <= 2*maxFrame {
		*b = (*b)[:0]
		p.pool.Put(b)
	}
}

// codec sends a frame and receives a receivedFrame without decoding; everything else is protobuf.
type codec struct{}

var _ encoding.CodecV2 = codec{}

// Name is the content subtype.
func (codec) Name() string { return proto.Name }

// Marshal encodes v.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(frame); ok {
		return mem.BufferSlice{mem.NewBuffer(f.data, &frames)}, nil
	}
	return encoding.GetCodecV2(proto.Name).Marshal(v)
}

// Unmarshal decodes data into v.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(*receivedFrame); ok {
		r.set(data)
		return nil
	}
	if err := encoding.GetCodecV2(proto.Name).Unmarshal(data, v); err != nil {
		return fmt.Errorf("decoding a frame: %w", err)
	}
	return nil
}
