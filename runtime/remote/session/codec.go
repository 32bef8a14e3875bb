package session

import (
	"fmt"
	"sync"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// MaxFrame is the size at which a frame is full: a longer one has a single event that is larger.
const MaxFrame = 256 << 10

// MaxMessage is the size of the largest frame. gRPC servers take no larger message unless told otherwise.
const MaxMessage = 4 << 20

// Frame is an encoded GatewayFrame that is handed over to gRPC when it is sent.
type Frame struct{ data *[]byte }

var frames = framePool{pool: sync.Pool{New: func() any { return new([]byte) }}}

// NewFrame returns an empty frame.
func NewFrame() Frame { return Frame{data: frames.Get(0)} }

// Append lets f append to the frame.
func (f Frame) Append(fill func([]byte) []byte) { *f.data = fill(*f.data) }

// Len is how many bytes the frame has.
func (f Frame) Len() int { return len(*f.data) }

// framePool takes frames back when gRPC has written them.
type framePool struct{ pool sync.Pool }

func (p *framePool) Get(int) *[]byte { return p.pool.Get().(*[]byte) }

func (p *framePool) Put(b *[]byte) {
	if cap(*b) <= 2*MaxFrame {
		*b = (*b)[:0]
		p.pool.Put(b)
	}
}

// Codec sends Frames and receives into Received as they are; everything else is protobuf.
type Codec struct{}

var _ encoding.CodecV2 = Codec{}

// Name is the content subtype.
func (Codec) Name() string { return proto.Name }

// Marshal encodes v.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(Frame); ok {
		return mem.BufferSlice{mem.NewBuffer(f.data, &frames)}, nil
	}
	return encoding.GetCodecV2(proto.Name).Marshal(v)
}

// Unmarshal decodes data into v.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(*Received); ok {
		r.set(data)
		return nil
	}
	if err := encoding.GetCodecV2(proto.Name).Unmarshal(data, v); err != nil {
		return fmt.Errorf("decoding a frame: %w", err)
	}
	return nil
}
