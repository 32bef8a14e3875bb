package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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
	// featureTimers says that the gateway knows the command set_timer.
	featureTimers = "timers"
	// featureState says that the gateway knows the command save_state. Results of logins have the state of the device
	// for handlers that use it.
	featureState = "state"
	// featureProperties says that the gateway knows the properties of a publish. Received messages have theirs for
	// handlers that use it.
	featureProperties = "properties"
	// A handler that has been silent for pingAfter, or a quarter of the timeout, is pinged. It has pongTimeout, or half
	// the timeout, to answer.
	pingAfter   = 10 * time.Second
	pongTimeout = 5 * time.Second
)

var (
	errNoPong       = errors.New("the handler does not answer pings")
	errHandlerEnded = errors.New("the handler ended the stream")
)

// features are the extensions of the contract that a handler uses.
type features struct{ state, properties bool }

// stream is one stream of a session.
type stream struct {
	line    *line
	session *Session
	rpc     grpc.ClientStream
	cancel  context.CancelCauseFunc
	signal  chan struct{} // there is something to send
	limits  windowLimits
	batch   int
	uses    features
	full    int // size at which a frame with several events is full

	lastHeard atomic.Int64 // when the handler last sent a frame, on Session.now's clock
	pinged    atomic.Int64 // when the handler was pinged; 0 if no ping is pending
	pingDue   atomic.Bool  // the ping must be sent
	byHandler bool         // the handler ended the stream; set by read, used when the stream has ended

	drainedc chan struct{} // guarded by Session.mu: closed when results have been sent; nil if nothing waits
}

// stream opens a stream, serves it to its end and returns the cause of that.
func (l *line) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	st := &stream{
		line: l, session: l.session, cancel: cancel, signal: make(chan struct{}, 1),
		full: min(maxFrame, l.session.maxEvent),
	}
	err := st.serve(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (st *stream) serve(ctx context.Context) error {
	description := &handlerv1.SessionHandler_ServiceDesc.Streams[0]
	rpc, err := st.line.to.RPC().NewStream(ctx, description, handlerv1.SessionHandler_Session_FullMethodName,
		grpc.ForceCodecV2(codec{}))
	if err != nil {
		return err
	}
	_ = rpc.Context() // commits the call to its first attempt: gRPC must not retry it
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
	late := time.AfterFunc(s.timeout,
		func() { st.cancel(fmt.Errorf("no hello from the handler within %v", s.timeout)) })
	defer late.Stop()
	hello := &handlerv1.GatewayHello{
		Version: protocolVersion, Node: st.line.node, Handler: s.target.Name, WindowEvents: windowEvents,
		WindowBytes:   windowBytes,
		CallTimeoutMs: uint32(min(s.timeout.Milliseconds(), 1<<32-1)),
		Features:      []string{featureTimers, featureState, featureProperties},
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

// acceptHello checks the handler's hello and adopts its limits.
func (st *stream) acceptHello(h *handlerv1.HandlerHello) error {
	if v := h.GetVersion(); v != protocolVersion {
		return status.Errorf(codes.FailedPrecondition,
			"the handler's first frame must be a hello of version %d; it has version %d", protocolVersion, v)
	}
	st.limits = windowLimits{
		Events: lowerOf(windowEvents, h.GetWindowEvents()),
		Bytes:  lowerOf(windowBytes, h.GetWindowBytes()),
	}
	st.batch = lowerOf(st.session.target.MaxBatch, h.GetMaxBatch())
	st.uses = features{
		state:      slices.Contains(h.GetFeatures(), featureState),
		properties: slices.Contains(h.GetFeatures(), featureProperties),
	}
	return nil
}

// lowerOf returns theirs if it is lower than ours; 0 means no limit.
func lowerOf(ours int, theirs uint32) int {
	if theirs == 0 || uint64(theirs) > uint64(ours) {
		return ours
	}
	return int(theirs)
}

// ended returns why the handler ended the stream.
func (st *stream) ended(err error) error {
	if errors.Is(err, io.EOF) {
		// RecvMsg returns the status.
		if received := st.rpc.RecvMsg(new(handlerv1.HandlerFrame)); !errors.Is(received, io.EOF) {
			return received
		}
		return errHandlerEnded
	}
	return err
}

// wake makes write look for something to send.
func (st *stream) wake() {
	select {
	case st.signal <- struct{}{}:
	default:
	}
}

// write sends everything pending, with as many events in a frame as fit, until the stream ends.
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

// next appends everything pending to frame.
func (st *stream) next(frame []byte) []byte {
	if st.pingDue.CompareAndSwap(true, false) {
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

// checkAlive pings a silent handler, and ends the stream if it does not answer.
func (st *stream) checkAlive() {
	timeout := st.session.timeout
	idle, patience := max(time.Second, min(pingAfter, timeout/4)), max(pongTimeout, timeout/2)
	now, asked := st.session.now(), time.Duration(st.pinged.Load())
	switch {
	case asked != 0 && now-asked > patience:
		st.cancel(errNoPong)
	case asked == 0 && now-time.Duration(st.lastHeard.Load()) > idle:
		st.pinged.Store(int64(now))
		st.pingDue.Store(true)
		st.wake()
	}
}

// commandBlock is how many commands are executed between two accesses to the session's state.
const commandBlock = 256

// read executes commands until the stream ends, and returns the reason.
func (st *stream) read(ctx context.Context) error {
	commands := make([]command, commandBlock)
	conns := make([]*conn, commandBlock)
	for {
		var frame receivedFrame
		if err := st.rpc.RecvMsg(&frame); err != nil {
			if errors.Is(err, io.EOF) {
				err = errHandlerEnded
			}
			st.byHandler = !isLoss(err)
			return err
		}
		st.lastHeard.Store(int64(st.session.now()))
		st.pinged.Store(0)
		err := st.handleFrame(ctx, &frame, commands, conns)
		frame.Close()
		if err != nil {
			return err
		}
	}
}

// isLoss reports whether a stream ended because the handler was lost or stops, rather than by its own decision.
func isLoss(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.Canceled
}

// handleFrame executes the commands of a frame. commands and conns are buffers for a block of them.
func (st *stream) handleFrame(ctx context.Context, frame *receivedFrame, commands []command, conns []*conn) error {
	for {
		n, err := frame.Read(commands)
		if err != nil {
			return status.Error(codes.Internal, fmt.Sprint("the handler sent a malformed frame: ", err))
		}
		if n == 0 {
			return nil
		}
		if err := st.awaitRoom(ctx); err != nil {
			return err
		}
		st.find(commands[:n], conns)
		for i := range commands[:n] {
			st.execute(conns[i], &commands[i])
		}
		st.acknowledge(commands[:n], conns)
	}
}

// find looks up the connections of commands; unknown ones are nil.
func (st *stream) find(commands []command, conns []*conn) {
	s := st.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range commands {
		c := s.open[commands[i].Conn]
		if c != nil && (c.line != st.line || !c.announced) {
			c = nil // the handler guessed the number
		}
		conns[i] = c
	}
}

// acknowledge handles the acks of commands that have been executed.
func (st *stream) acknowledge(commands []command, conns []*conn) {
	s := st.session
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range commands {
		if seq := commands[i].Ack; seq != 0 && conns[i] != nil {
			conns[i].acknowledge(seq, now)
		}
	}
}

// awaitRoom waits while too many results are queued.
func (st *stream) awaitRoom(ctx context.Context) error {
	s := st.session
	for {
		s.mu.Lock()
		if st.line.results.Size() <= maxResultBytes {
			s.mu.Unlock()
			return nil
		}
		if st.drainedc == nil {
			st.drainedc = make(chan struct{})
		}
		room := st.drainedc
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// drained wakes the reader that waits for queued results to be sent; the caller holds Session.mu.
func (st *stream) drained() {
	if st.drainedc != nil {
		close(st.drainedc)
		st.drainedc = nil
	}
}
