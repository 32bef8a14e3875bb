package remote

import (
	"context"
	"errors"
	"io"

	"google.golang.org/protobuf/proto"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/session"
)

// read carries out commands until the stream ends, and returns why it did.
func (st *sessionStream) read(ctx context.Context) error {
	var conns []*sessionConn
	for {
		frame := new(handlerv1.HandlerFrame)
		if err := st.rpc.RecvMsg(frame); err != nil {
			if errors.Is(err, io.EOF) {
				return errHandlerEnded
			}
			return err
		}
		st.heard.Store(int64(st.session.now()))
		st.asked.Store(0)
		conns = st.find(conns[:0], frame.GetCommands())
		for i, command := range frame.GetCommands() {
			if err := st.awaitRoom(ctx); err != nil {
				return err
			}
			st.carryOut(conns[i], command)
		}
		st.acknowledge(conns, frame.GetCommands())
	}
}

// find looks up the connections of commands; those that are not known are nil.
func (st *sessionStream) find(conns []*sessionConn, commands []*handlerv1.Command) []*sessionConn {
	s := st.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, command := range commands {
		c := s.open[command.GetConn()]
		if c != nil && (c.line != st.line || !c.told) {
			c = nil // the handler guesses
		}
		conns = append(conns, c)
	}
	return conns
}

// acknowledge takes the acks of commands, after these were carried out.
func (st *sessionStream) acknowledge(conns []*sessionConn, commands []*handlerv1.Command) {
	s := st.session
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, command := range commands {
		if seq := command.GetAck(); seq != 0 && conns[i] != nil {
			conns[i].acknowledge(seq, now)
		}
	}
}

// awaitRoom waits while too many results wait for the handler to take them.
func (st *sessionStream) awaitRoom(ctx context.Context) error {
	s := st.session
	for {
		s.mu.Lock()
		if st.line.results.Size() <= sessionResultBytes {
			s.mu.Unlock()
			return nil
		}
		if st.room == nil {
			st.room = make(chan struct{})
		}
		room := st.room
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// drained wakes the reader that waits for results to go out; the caller holds session.mu.
func (st *sessionStream) drained() {
	if st.room != nil {
		close(st.room)
		st.room = nil
	}
}

// carryOut does what a command says.
func (st *sessionStream) carryOut(c *sessionConn, command *handlerv1.Command) {
	if raw, ok := command.GetCommand().(*handlerv1.Command_RawPublish); ok {
		st.rawPublish(command, raw.RawPublish)
		return
	}
	if c == nil {
		st.session.metrics.dropped(sessionDroppedConn)
		return
	}
	switch x := command.GetCommand().(type) {
	case nil:
		st.none(command)
	case *handlerv1.Command_Send:
		st.settle(command, sessionSend, c.conn.Send(x.Send))
	case *handlerv1.Command_Close:
		st.settle(command, sessionClose, c.leave())
	case *handlerv1.Command_StartTimer:
		st.settle(command, sessionStartTimer, startTimer(c.conn, x.StartTimer))
	case *handlerv1.Command_Pause:
		c.conn.Pause()
		st.settle(command, sessionPause, gateway.OK)
	case *handlerv1.Command_Resume:
		st.settle(command, sessionResume, c.conn.Resume())
	default:
		st.ask(c, command)
	}
}

// ask carries out a command that waits for the broker.
func (st *sessionStream) ask(c *sessionConn, command *handlerv1.Command) {
	switch x := command.GetCommand().(type) {
	case *handlerv1.Command_Authenticate:
		done := st.done(command, sessionAuthenticate)
		client := x.Authenticate.GetClientinfo()
		st.refused(command, sessionAuthenticate, c.conn.Authenticate(clientInfo(client), x.Authenticate.GetPassword(), func(r gateway.Result) {
			c.authenticated(client, r)
			done(r)
		}))
	case *handlerv1.Command_Publish:
		p := x.Publish
		st.refused(command, sessionPublish, c.conn.Publish(p.GetTopic(), p.GetQos(), p.GetPayload(), st.done(command, sessionPublish)))
	case *handlerv1.Command_Subscribe:
		r := c.conn.Subscribe(x.Subscribe.GetTopic(), x.Subscribe.GetQos(), st.done(command, sessionSubscribe))
		st.refused(command, sessionSubscribe, r)
	case *handlerv1.Command_Unsubscribe:
		st.refused(command, sessionUnsubscribe, c.conn.Unsubscribe(x.Unsubscribe.GetTopic(), st.done(command, sessionUnsubscribe)))
	}
}

// none refuses a command that this version does not know; an acknowledgement alone is not one.
func (st *sessionStream) none(command *handlerv1.Command) {
	if command.GetToken() != 0 || len(command.ProtoReflect().GetUnknown()) > 0 {
		st.settle(command, sessionUnknown, gateway.Refuse(gateway.CodeParamsTypeError, "the gateway does not know this command"))
	}
}

func (st *sessionStream) rawPublish(command *handlerv1.Command, p *handlerv1.Publish) {
	done := st.done(command, sessionRawPublish)
	st.refused(command, sessionRawPublish, st.session.raw.publish(p.GetTopic(), p.GetQos(), p.GetPayload(), done))
}

func startTimer(conn gateway.ConnectionAdapter, t *handlerv1.StartTimer) gateway.Result {
	if _, known := exproto.TimerType_name[int32(t.GetType())]; !known {
		return gateway.Refuse(gateway.CodeParamsTypeError, "timer type %d does not exist", t.GetType())
	}
	return conn.StartTimer(gateway.TimerType(t.GetType()), t.GetInterval())
}

// leave closes the connection. An event of it that waits for room need not wait any longer.
func (c *sessionConn) leave() gateway.Result {
	result := c.conn.Close(gateway.ReasonNormal)
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	c.left = true
	c.notify()
	return result
}

// authenticated keeps what another stream has to be told.
func (c *sessionConn) authenticated(client *exproto.ClientInfo, result gateway.Result) {
	if result.Ok() && c.session.policy != OnFailureClose && proto.Size(client) <= sessionWindowBytes {
		c.session.mu.Lock()
		defer c.session.mu.Unlock()
		c.client = client
	}
}

// refused settles a command that the gateway refused at once; the others are settled when they are done.
func (st *sessionStream) refused(command *handlerv1.Command, kind sessionCommand, result gateway.Result) {
	if !result.Ok() {
		st.settle(command, kind, result)
	}
}

// done settles a command when the broker has answered.
func (st *sessionStream) done(command *handlerv1.Command, kind sessionCommand) gateway.Done {
	conn, token := command.GetConn(), command.GetToken()
	return func(result gateway.Result) { st.result(conn, token, kind, result) }
}

func (st *sessionStream) settle(command *handlerv1.Command, kind sessionCommand, result gateway.Result) {
	st.result(command.GetConn(), command.GetToken(), kind, result)
}

// result counts the outcome of a command, and tells the handler where it asked for that.
func (st *sessionStream) result(conn, token uint64, kind sessionCommand, result gateway.Result) {
	s := st.session
	s.metrics.command(kind, result)
	if token == 0 {
		return
	}
	response := codeResponse(result)
	body, err := proto.Marshal(&handlerv1.Result{Token: token, Code: response.GetCode(), Message: response.GetMessage()})
	if err != nil {
		return // numbers and valid text always encode
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.line.live != st {
		s.metrics.dropped(sessionDroppedResult)
		return
	}
	st.line.results.Add(conn, session.Result, body)
	st.wake()
}
