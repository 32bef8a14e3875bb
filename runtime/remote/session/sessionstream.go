package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/runtime/remote/target"
)

const (
	protocolVersion = 1
	// A handler that is silent for pingAfter or a quarter of the timeout is asked whether it is there, and has pongTimeout or half the
	// timeout to answer.
	pingAfter   = 10 * time.Second
	pongTimeout = 5 * time.Second
)

var (
	errNoPong       = errors.New("the handler does not answer pings")
	errHandlerEnded = errors.New("the handler ended the stream")
)

// stream is one stream of a session.
type stream struct {
	line    *line
	session *Session
	rpc     grpc.ClientStream
	cancel  context.CancelCauseFunc
	signal  chan struct{} // there is something to send
	limits  windowLimits
	batch   int
	full    int // bytes of a frame with more than one event

	heard  atomic.Int64 // when the handler last said something, on session.now's clock
	pinged atomic.Int64 // when it was asked whether it is there; 0: it is not being asked
	ping   atomic.Bool  // the question has to be sent

	room chan struct{} // guarded by session.mu: closed when results were sent; nil where nobody waits
}

// stream opens a stream and serves it to its end, which it returns the cause of.
func (l *line) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	st := &stream{line: l, session: l.session, cancel: cancel, signal: make(chan struct{}, 1), full: min(maxFrame, l.session.maxEvent)}
	err := st.serve(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (st *stream) serve(ctx context.Context) error {
	description := &handlerv1.SessionHandler_ServiceDesc.Streams[0]
	rpc, err := st.line.to.RPC().NewStream(ctx, description, handlerv1.SessionHandler_Session_FullMethodName, grpc.ForceCodecV2(codec{}))
	if err != nil {
		return err
	}
	_ = rpc.Context() // commits the call to its first try, see openStream
	st.rpc = rpc
	if err := st.handshake(); err != nil {
		return err
	}
	st.line.attach(st)
	written := make(chan struct{})
	go func() {
		defer close(written)
		st.write(ctx)
	}()
	err = st.read(ctx)
	st.cancel(err)
	<-written
	return err
}

// handshake exchanges the first frames.
func (st *stream) handshake() error {
	s := st.session
	late := time.AfterFunc(s.timeout, func() { st.cancel(fmt.Errorf("the handler's hello did not come within %v", s.timeout)) })
	defer late.Stop()
	hello := &handlerv1.GatewayHello{
		Version: protocolVersion, Node: st.line.node, Handler: s.target.Name, WindowEvents: windowEvents, WindowBytes: windowBytes,
		CallTimeoutMs: uint32(min(s.timeout.Milliseconds(), 1<<32-1)),
	}
	if err := st.rpc.SendMsg(&handlerv1.GatewayFrame{Hello: hello}); err != nil {
		return target.MarkUnprocessedStream(st.rpc, st.ended(err))
	}
	answer := new(handlerv1.HandlerFrame)
	if err := st.rpc.RecvMsg(answer); err != nil {
		return target.MarkUnprocessedStream(st.rpc, st.ended(err))
	}
	return st.acceptHello(answer.GetHello())
}

// acceptHello takes the handler's hello.
func (st *stream) acceptHello(h *handlerv1.HandlerHello) error {
	if v := h.GetVersion(); v != protocolVersion {
		return status.Errorf(codes.FailedPrecondition, "the handler's first frame must be a hello of version %d; it has version %d", protocolVersion, v)
	}
	st.limits = windowLimits{
		Events: lowerOf(windowEvents, h.GetWindowEvents()),
		Bytes:  lowerOf(windowBytes, h.GetWindowBytes()),
	}
	st.batch = lowerOf(st.session.target.MaxBatch, h.GetMaxBatch())
	return nil
}

// lowerOf is ours unless theirs is lower; 0 is no wish.
func lowerOf(ours int, theirs uint32) int {
	if theirs == 0 || uint64(theirs) > uint64(ours) {
		return ours
	}
	return int(theirs)
}

// ended returns why the handler ended the stream.
func (st *stream) ended(err error) error {
	if errors.Is(err, io.EOF) {
		// The status is told to whoever receives.
		if received := st.rpc.RecvMsg(new(handlerv1.HandlerFrame)); !errors.Is(received, io.EOF) {
			return received
		}
		return errHandlerEnded
	}
	return err
}

// wake lets write look for something to send.
func (st *stream) wake() {
	select {
	case st.signal <- struct{}{}:
	default:
	}
}

// write sends what there is, as many events in a frame as wait, until the stream ends.
func (st *stream) write(ctx context.Context) {
	for {
		select {
		case <-st.signal:
		case <-ctx.Done():
			return
		}
		for sent := true; sent; {
			frame := newFrame()
			frame.Append(st.next)
			if sent = frame.Len() > 0; sent && st.rpc.SendMsg(frame) != nil {
				return // read gets the status
			}
		}
	}
}

// next appends what there is to frame.
func (st *stream) next(frame []byte) []byte {
	if st.ping.CompareAndSwap(true, false) {
		frame = appendPing(frame, uint64(st.pinged.Load()))
	}
	s := st.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.line.live != st {
		return frame
	}
	frame = st.line.fill(frame, st.full)
	st.drained()
	return frame
}

// checkAlive asks a silent handler whether it is there, and ends the stream where it does not answer.
func (st *stream) checkAlive() {
	timeout := st.session.timeout
	idle, patience := max(time.Second, min(pingAfter, timeout/4)), max(pongTimeout, timeout/2)
	now, asked := st.session.now(), time.Duration(st.pinged.Load())
	switch {
	case asked != 0 && now-asked > patience:
		st.cancel(errNoPong)
	case asked == 0 && now-time.Duration(st.heard.Load()) > idle:
		st.pinged.Store(int64(now))
		st.ping.Store(true)
		st.wake()
	}
}
