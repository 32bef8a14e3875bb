package session

import (
	"fmt"
	"sync"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// maxFrame is the size at which a frame is full: a longer one has a single event that is larger.
const maxFrame = 256 << 10

// maxMessage is the size of the largest frame. gRPC servers take no larger message unless told otherwise.
const maxMessage = 4 << 20

// frame is an encoded GatewayFrame that is handed over to gRPC when it is sent.
type frame struct{ data *[]byte }

var frames = framePool{pool: sync.Pool{New: func() any { return new([]byte) }}}

// newFrame returns an empty frame.
func newFrame() frame { return frame{data: frames.Get(0)} }

// Append lets f append to the frame.
func (f frame) Append(fill func([]byte) []byte) { *f.data = fill(*f.data) }

// Len is how many bytes the frame has.
func (f frame) Len() int { return len(*f.data) }

// framePool takes frames back when gRPC has written them.
type framePool struct{ pool sync.Pool }

func (p *framePool) Get(int) *[]byte { return p.pool.Get().(*[]byte) }

func (p *framePool) Put(b *[]byte) {
	if cap(*b) <= 2*maxFrame {
		*b = (*b)[:0]
		p.pool.Put(b)
	}
}

// codec sends Frames and receives into Received as they are; everything else is protobuf.
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
