package handler

import (
	"context"
	"sync"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
)

// outboxBytes limits the data queued on one stream; callers wait while it is exceeded.
const outboxBytes = 1 << 20

// outbox sends the commands of all connections on a stream, all queued ones in one frame.
type outbox struct {
	ctx    context.Context // of the stream
	signal chan struct{}

	mu       sync.Mutex // guards the fields below
	commands []*handlerv1.Command
	bytes    int
	pongs    uint64
	room     chan struct{} // closed when the queue has been taken; nil if nobody waits
}

func newOutbox(ctx context.Context) *outbox { return &outbox{ctx: ctx, signal: make(chan struct{}, 1)} }

// put queues a command. It reports false if the stream has ended.
func (o *outbox) put(command *handlerv1.Command, size int) bool {
	for {
		room, ok := o.tryPut(command, size)
		if ok {
			return o.ctx.Err() == nil
		}
		select {
		case <-room:
		case <-o.ctx.Done():
			return false
		}
	}
}

func (o *outbox) tryPut(command *handlerv1.Command, size int) (room <-chan struct{}, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes > outboxBytes {
		if o.room == nil {
			o.room = make(chan struct{})
		}
		return o.room, false
	}
	o.commands = append(o.commands, command)
	o.bytes += size
	o.wake()
	return nil, true
}

// ack queues an acknowledgement, in the last command if that is for the same connection.
func (o *outbox) ack(conn, seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.commands); n > 0 && o.commands[n-1].Conn == conn {
		o.commands[n-1].Ack = seq
		return
	}
	o.commands = append(o.commands, &handlerv1.Command{Conn: conn, Ack: seq})
	o.wake()
}

func (o *outbox) pong(n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pongs = n
	o.wake()
}

// wake makes run look at the queue; the caller holds mu.
func (o *outbox) wake() {
	select {
	case o.signal <- struct{}{}:
	default:
	}
}

// run sends until the stream ends.
func (o *outbox) run(send func(*handlerv1.HandlerFrame) error) {
	var spare []*handlerv1.Command
	for {
		select {
		case <-o.signal:
		case <-o.ctx.Done():
			return
		}
		frame := o.take(spare)
		if err := send(frame); err != nil {
			return // receiving fails too
		}
		clear(frame.Commands)
		spare = frame.Commands[:0]
	}
}

// take returns the whole queue.
func (o *outbox) take(spare []*handlerv1.Command) *handlerv1.HandlerFrame {
	o.mu.Lock()
	defer o.mu.Unlock()
	frame := &handlerv1.HandlerFrame{Commands: o.commands, Pong: o.pongs}
	o.commands, o.bytes, o.pongs = spare, 0, 0
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	return frame
}
