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

	"github.com/exgate/exgate/internal/backoff"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/target"
)

// sharedStream carries the events of one method, for many connections, to a backend. It is opened for the first event,
// and again after it has ended.
type sharedStream struct {
	caller *Caller
	to     *backend.Backend
	call   *serviceMethod
	end    context.Context
	cancel context.CancelFunc
	queue  chan *sharedEvent // unbuffered: events wait with their connections
	done   chan struct{}     // closed by quit
	use    *streamUse
	probe  *endProbe

	// Owned by run.
	stream  grpc.ClientStream // nil if not open
	release func()            // releases its line
	opened  time.Time
	pause   time.Duration // before it is opened again after a refusal
	endErr  chan error    // receives the handler's status at the end of the stream; nil for OK
	written tail

	line atomic.Pointer[backend.Line] // of the latest stream
}

// streamUse is how a handler reads the streams of a method.
type streamUse struct {
	known  atomic.Bool // the first stream has been watched
	single atomic.Bool // the handler reads one event from each stream
}

// sharedEvent is an event to be written to a stream.
type sharedEvent struct {
	conn    gateway.ConnectionAdapter
	data    encoded
	ctx     context.Context
	at      time.Time
	written chan error
}

// errSingle says that an event needs a stream of its own.
var errSingle = errors.New("the handler reads one event per stream")

func newSharedStream(b *streamBackend, m eventKind) *sharedStream {
	s := &sharedStream{
		caller: b.dialect.caller, to: b.to, call: b.dialect.each[m], use: &b.uses[m], probe: b.probe,
		queue: make(chan *sharedEvent), done: make(chan struct{}),
	}
	s.end, s.cancel = context.WithCancel(b.dialect.end)
	return s
}

// invoke writes an event and returns when gRPC has accepted it, at most after the handler's timeout. before is the
// stream of the connection's previous event, if that is another one.
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

// settle waits until the handler's server has received what was written to s, by making a call on the same connection.
// gRPC does not say whether the handler has read it.
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

// send passes an event to run. sent says that it may reach the handler.
func (s *sharedStream) send(
	ctx context.Context, conn gateway.ConnectionAdapter, request proto.Message,
) (sent bool, err error) {
	data, err := proto.Marshal(request)
	if err != nil {
		return false, err
	}
	if limit := s.caller.MaxMessage; len(data) > limit {
		return false, status.Errorf(codes.ResourceExhausted, "an event of %d bytes is over max_message_size, %d",
			len(data), limit)
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

// quit lets the handler end the stream within its timeout.
func (s *sharedStream) quit() {
	close(s.done)
	time.AfterFunc(s.caller.Timeout, s.cancel)
}

// sharedEvents is a call that connections share. As with oneEvent, the answer may have any number of messages.
var sharedEvents = grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

// run writes events until quit is called or the client is closed.
func (s *sharedStream) run() {
	defer s.cancel()
	for {
		select {
		case e := <-s.queue:
			e.written <- s.write(e)
		case err := <-s.endErr:
			s.ended(err)
		case <-s.done:
			s.finish()
			return
		case <-s.end.Done():
			return
		}
	}
}

// write writes an event to the stream. If the stream ended before it accepted the event, write uses a new one.
func (s *sharedStream) write(e *sharedEvent) error {
	var err error
	for range 2 {
		s.checkEnded()
		switch {
		case s.use.single.Load():
			return errSingle
		case e.ctx.Err() != nil:
			return status.FromContextError(e.ctx.Err()).Err()
		}
		if err = s.open(); err != nil {
			return err
		}
		if s.stream.SendMsg(e.data) == nil {
			s.written.add(e)
			s.watch()
			return nil
		}
		select {
		case err = <-s.endErr:
		case <-s.end.Done():
			return status.FromContextError(s.end.Err()).Err()
		}
		s.ended(err)
	}
	if err == nil {
		err = status.Error(codes.Unavailable, "the handler ends its streams before it reads them")
	}
	return err
}

// firstEventAlone is how long the first event of a method is alone on its stream, to see whether the handler ends the
// stream after it.
const firstEventAlone = 100 * time.Millisecond

// watch waits after the first event of a method that a backend receives.
func (s *sharedStream) watch() {
	if s.use.known.Swap(true) {
		return
	}
	timer := time.NewTimer(firstEventAlone)
	defer timer.Stop()
	select {
	case err := <-s.endErr:
		s.ended(err)
	case <-timer.C:
	case <-s.end.Done():
	}
}

// checkEnded handles the end of the stream if it has come.
func (s *sharedStream) checkEnded() {
	select {
	case err := <-s.endErr:
		s.ended(err)
	default:
	}
}

func (s *sharedStream) open() error {
	if s.stream != nil {
		return nil
	}
	line, err := s.to.Line()
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	stream, err := openStream(s.end, line.RPC, &sharedEvents, s.call.path)
	if err != nil {
		line.Release()
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- awaitEnd(stream) }()
	s.stream, s.endErr, s.release, s.opened = stream, ended, line.Release, time.Now()
	s.line.Store(&line)
	return nil
}

// finish ends the stream and waits for the handler's answer.
func (s *sharedStream) finish() {
	if s.stream == nil {
		return
	}
	defer s.release()
	_ = s.stream.CloseSend()
	if err := <-s.endErr; err != nil && s.end.Err() == nil {
		_ = s.caller.Failed(s.to, s.call.name, err, false)
	}
}

// ended handles the end of the stream by the handler, or its loss. gRPC does not say which events were read. A handler
// that ends a stream with OK after its first events reads one event from each stream: the other events are sent again,
// and from then on each event has its own stream. After an error, the connections of the last events are closed.
func (s *sharedStream) ended(err error) {
	events, whole := s.written.take()
	s.stream, s.endErr = nil, nil
	s.release()
	if s.end.Err() != nil || target.IsUnprocessed(err) && whole && s.rewrite(events) {
		return
	}
	if status.Code(err) == codes.Unavailable {
		s.probe.retry()
	}
	s.caller.metrics.streamEnded(s.caller.Name, s.call.name, err)
	switch {
	case err != nil:
		s.fail(events, s.caller.Failed(s.to, s.call.name, err, false))
	case whole:
		s.sendSingly(events[min(1, len(events)):])
		s.use.single.Store(true)
	}
}

// rewrite pauses and then writes events to a new stream, because the handler did not begin the old one. It returns
// false if the events have waited too long.
func (s *sharedStream) rewrite(events []*sharedEvent) bool {
	if time.Since(s.opened) > target.SlowestRetry {
		s.pause = 0
	}
	s.pause = min(max(2*s.pause, firstRefusalPause), longestRefusalPause)
	if len(events) > 0 && time.Since(events[0].at)+s.pause > s.caller.Timeout ||
		!backoff.Sleep(s.end, backoff.Jitter(s.pause)) || s.open() != nil {
		return false
	}
	s.caller.traffic.refused.Inc()
	for _, e := range events {
		_ = s.stream.SendMsg(e.data) // if it fails, the end of the stream follows
		s.written.add(e)
	}
	return true
}

// sendSingly sends events again, each on its own stream.
func (s *sharedStream) sendSingly(events []*sharedEvent) {
	for _, e := range events {
		err := s.call.send(s.to, e.data)
		if refused, ok := err.(*Refusal); ok { //nolint:errorlint // deliver returns it bare
			err = s.caller.Failed(s.to, refused.method, refused.err, true)
		}
		if err != nil {
			s.fail([]*sharedEvent{e}, err)
		}
	}
}

// fail closes the connections of events.
func (s *sharedStream) fail(events []*sharedEvent, failure error) {
	for _, e := range events {
		if time.Since(e.at) < s.caller.Timeout {
			e.conn.Post(func() error { return failure })
		}
	}
}

// Limits on the written events that are kept.
const (
	tailEvents = 32
	tailBytes  = 1 << 20
)

// tail has the last events written to a stream. Their connections may be affected by its end; a short tail can be sent
// again.
type tail struct {
	events []*sharedEvent
	bytes  int
	cut    bool // events or their data are missing
}

func (t *tail) add(e *sharedEvent) {
	t.bytes += len(e.data)
	if !t.cut && (len(t.events) == tailEvents || t.bytes > tailBytes) {
		t.forget()
	}
	if t.cut {
		e.data = nil
	}
	if len(t.events) == tailEvents {
		t.events = append(t.events[:0], t.events[1:]...)
	}
	t.events = append(t.events, e)
}

// forget drops the data of the events.
func (t *tail) forget() {
	t.cut = true
	for _, e := range t.events {
		e.data = nil
	}
}

// take empties the tail. whole says that events are all that were written, with their data.
func (t *tail) take() (events []*sharedEvent, whole bool) {
	events, whole = t.events, !t.cut
	*t = tail{}
	return events, whole
}
