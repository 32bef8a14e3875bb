package callback

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
)

// sharedStream carries one method's events of many connections to a backend. It is opened with the first event and again whenever it ended.
type sharedStream struct {
	caller *Caller
	to     *backend.Backend
	call   *serviceMethod
	end    context.Context
	cancel context.CancelFunc
	queue  chan *sharedEvent // unbuffered: an event waits with its connection
	done   chan struct{}     // closed by quit
	use    *streamUse
	probe  *endProbe

	// Owned by run.
	stream  grpc.ClientStream // nil: not open
	release func()            // gives up its line
	opened  time.Time
	pause   time.Duration // before it is opened again, after it was refused
	endedc  chan error    // the handler's end of stream; nil where that was OK
	written tail

	line atomic.Pointer[backend.Line] // of the stream that was opened last
}

// streamUse is how a handler reads the streams of a method.
type streamUse struct {
	known  atomic.Bool // its first stream went by
	single atomic.Bool // it reads one event a stream
}

// sharedEvent is an event on its way into a stream.
type sharedEvent struct {
	conn    gateway.ConnectionAdapter
	data    encoded
	ctx     context.Context
	at      time.Time
	written chan error
}

// errSingle tells that an event has to have a stream of its own.
var errSingle = errors.New("the handler reads one event a stream")

func newSharedStream(b *streamBackend, m eventKind) *sharedStream {
	s := &sharedStream{
		caller: b.dialect.caller, to: b.to, call: b.dialect.each[m], use: &b.uses[m], probe: b.probe,
		queue: make(chan *sharedEvent), done: make(chan struct{}),
	}
	s.end, s.cancel = context.WithCancel(b.dialect.end)
	return s
}

// invoke writes an event and returns when gRPC has taken it, at most after the client's timeout. before is the stream that the connection's
// event before went to, where that is another.
func (s *sharedStream) invoke(before *sharedStream, conn gateway.ConnectionAdapter, request proto.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.caller.Timeout)
	defer cancel()
	start := time.Now()
	before.settle(ctx)
	sent, err := false, errSingle
	if !s.use.single.Load() {
		sent, err = s.send(ctx, conn, request)
	}
	if errors.Is(err, errSingle) {
		return s.call.Invoke(s.to, request)
	}
	s.call.seconds.Observe(time.Since(start).Seconds())
	if err != nil {
		return s.caller.Failed(s.to, s.call.name, err, !sent)
	}
	return nil
}

// settle waits until the handler's server has what was written to s: its answer to a call that was made later comes over the same connection.
// Whether the handler has read it, gRPC does not tell.
func (s *sharedStream) settle(ctx context.Context) {
	if s == nil || s.use.single.Load() {
		return
	}
	line := s.line.Load()
	if line == nil || line.Full {
		return
	}
	_, _ = callOnce(ctx, line.RPC, grpc_health_v1.Health_Check_FullMethodName, new(grpc_health_v1.HealthCheckRequest))
}

// send gives an event to run. sent says that it may reach the handler.
func (s *sharedStream) send(ctx context.Context, conn gateway.ConnectionAdapter, request proto.Message) (sent bool, err error) {
	data, err := proto.Marshal(request)
	if err != nil {
		return false, err
	}
	if limit := s.caller.MaxMessage; len(data) > limit {
		return false, status.Errorf(codes.ResourceExhausted, "an event of %d bytes is over max_message_size, %d", len(data), limit)
	}
	e := &sharedEvent{conn: conn, data: data, ctx: ctx, at: time.Now(), written: make(chan error, 1)}
	select {
	case s.queue <- e:
	case <-ctx.Done():
		return false, status.FromContextError(ctx.Err()).Err()
	case <-s.end.Done():
		return false, status.FromContextError(s.end.Err()).Err()
	}
	select {
	case err := <-e.written:
		return err == nil, err
	case <-ctx.Done():
		return true, status.FromContextError(ctx.Err()).Err()
	case <-s.end.Done():
		return true, status.FromContextError(s.end.Err()).Err()
	}
}

// quit lets the handler end the stream, within the client's timeout.
func (s *sharedStream) quit() {
	close(s.done)
	time.AfterFunc(s.caller.Timeout, s.cancel)
}
