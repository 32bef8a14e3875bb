package remote_test

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/grpc"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
)

type sessionServer = grpc.BidiStreamingServer[handlerv1.GatewayFrame, handlerv1.HandlerFrame]

// sessionForm is a handler's service in the form of the session dialect, one event after the other.
type sessionForm struct {
	handlerv1.UnimplementedSessionHandlerServer
	handler exproto.ConnectionUnaryHandlerServer
}

// repeated is implemented by handlers that know which events came before, on any stream.
type repeated interface {
	again(conn string, e *handlerv1.Event) bool
}

// formStream is one of its streams.
type formStream struct {
	form   *sessionForm
	stream sessionServer
	conns  map[uint64]chan *handlerv1.Event
	tasks  sync.WaitGroup

	mu sync.Mutex // guards sending
}

func (s *sessionForm) Session(stream sessionServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	if err := stream.Send(&handlerv1.HandlerFrame{Hello: &handlerv1.HandlerHello{Version: 1}}); err != nil {
		return err
	}
	f := &formStream{form: s, stream: stream, conns: make(map[uint64]chan *handlerv1.Event)}
	defer f.end()
	for {
		frame, err := stream.Recv()
		if err != nil {
			return err
		}
		if n := frame.GetPing(); n != 0 {
			f.send(&handlerv1.HandlerFrame{Pong: n})
		}
		for _, e := range frame.GetEvents() {
			f.event(e)
		}
	}
}

func (f *formStream) event(e *handlerv1.Event) {
	events := f.conns[e.GetConn()]
	if created := e.GetCreated(); created != nil {
		events = make(chan *handlerv1.Event, 1000) // more than a window
		f.conns[e.GetConn()] = events
		f.tasks.Go(func() { f.run(created.GetId(), events) })
	}
	events <- e
}

func (f *formStream) end() {
	for _, events := range f.conns {
		close(events)
	}
	f.tasks.Wait()
}

// run makes the callbacks of a connection while the stream lives.
func (f *formStream) run(conn string, events <-chan *handlerv1.Event) {
	for e := range events {
		if f.stream.Context().Err() != nil {
			return
		}
		if known, ok := f.form.handler.(repeated); !ok || e.GetSeq() == 0 || !known.again(conn, e) {
			_ = f.form.call(conn, e)
		}
		if seq := e.GetSeq(); seq != 0 {
			f.send(&handlerv1.HandlerFrame{Commands: []*handlerv1.Command{{Conn: e.GetConn(), Ack: seq}}})
		}
	}
}

func (f *formStream) send(frame *handlerv1.HandlerFrame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.stream.Send(frame)
}

func (s *sessionForm) call(conn string, e *handlerv1.Event) (err error) {
	ctx, h := context.Background(), s.handler
	switch x := e.GetEvent().(type) {
	case *handlerv1.Event_Created:
		if !x.Created.GetResumed() {
			_, err = h.OnSocketCreated(ctx,
				&exproto.SocketCreatedRequest{Conn: conn, Conninfo: x.Created.GetConninfo()})
		}
	case *handlerv1.Event_Bytes:
		_, err = h.OnReceivedBytes(ctx, &exproto.ReceivedBytesRequest{Conn: conn, Bytes: x.Bytes})
	case *handlerv1.Event_TimerTimeout:
		_, err = h.OnTimerTimeout(ctx, &exproto.TimerTimeoutRequest{Conn: conn, Type: x.TimerTimeout.GetType()})
	case *handlerv1.Event_Messages:
		_, err = h.OnReceivedMessages(ctx,
			&exproto.ReceivedMessagesRequest{Conn: conn, Messages: x.Messages.GetMessages()})
	case *handlerv1.Event_Closed:
		_, err = h.OnSocketClosed(ctx, &exproto.SocketClosedRequest{Conn: conn, Reason: x.Closed.GetReason()})
	}
	return err
}

// again reports whether the event came before. One that is out of order or differs is recorded, so that the comparison
// at the end fails.
func (l *ledger) again(conn string, e *handlerv1.Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	seq, text := e.GetSeq(), fmt.Sprint(e.GetEvent())
	seen, ok := l.seqs[conn][seq]
	switch {
	case !ok && seq > l.last[conn]:
		l.last[conn] = seq
		if l.seqs[conn] == nil {
			l.seqs[conn] = make(map[uint64]string)
		}
		l.seqs[conn][seq] = text
		return false
	case seen != text:
		l.conns[conn] = append(l.conns[conn], fmt.Sprint("out of turn: ", seq, " ", text))
	}
	return true
}
