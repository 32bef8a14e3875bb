package session

import (
	"google.golang.org/protobuf/proto"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
	"github.com/exgate/exgate/runtime/remote/target"
)

// carryOut does what a command says. c is nil where its connection is not known.
func (st *sessionStream) carryOut(c *sessionConn, command *Command) {
	switch {
	case command.Order == RawPublish:
		st.rawPublish(command)
	case c == nil:
		st.session.metrics.dropped(sessionDroppedConn)
	default:
		st.order(c, command)
	}
}

func (st *sessionStream) order(c *sessionConn, command *Command) {
	switch command.Order {
	case NoOrder:
		if command.Token != 0 {
			st.settle(command, resultUnknownCommand)
		}
	case Send:
		st.settle(command, c.conn.Send(command.Body))
	case Close:
		st.settle(command, c.leave())
	case StartTimer:
		st.settle(command, c.startTimer(command.Body))
	case Pause:
		c.conn.Pause()
		st.settle(command, gateway.OK)
	case Resume:
		st.settle(command, c.conn.Resume())
	default:
		if result := st.ask(c, command); !result.Ok() {
			st.settle(command, result)
		}
	}
}

// ask carries out a command that waits for the broker.
func (st *sessionStream) ask(c *sessionConn, command *Command) gateway.Result {
	done := st.done(command)
	switch command.Order {
	case Authenticate:
		return c.authenticate(command.Body, done)
	case Publish:
		return publishing(command.Body, done, c.conn.Publish)
	case Subscribe:
		var m handlerv1.Subscribe
		if proto.Unmarshal(command.Body, &m) != nil {
			return resultMalformed
		}
		return c.conn.Subscribe(m.GetTopic(), m.GetQos(), done)
	case Unsubscribe:
		var m handlerv1.Unsubscribe
		if proto.Unmarshal(command.Body, &m) != nil {
			return resultMalformed
		}
		return c.conn.Unsubscribe(m.GetTopic(), done)
	default:
		return resultUnknownCommand
	}
}

var (
	resultUnknownCommand = gateway.Refuse(gateway.CodeParamsTypeError, "the gateway does not know this command")
	resultMalformed      = gateway.Refuse(gateway.CodeParamsTypeError, "the command is malformed")
)

func (st *sessionStream) rawPublish(command *Command) {
	if result := publishing(command.Body, st.done(command), st.session.publish); !result.Ok() {
		st.settle(command, result)
	}
}

func publishing(body []byte, done gateway.Done, publish func(string, uint32, []byte, gateway.Done) gateway.Result) gateway.Result {
	var m handlerv1.Publish
	if proto.Unmarshal(body, &m) != nil {
		return resultMalformed
	}
	return publish(m.GetTopic(), m.GetQos(), m.GetPayload(), done)
}

func (c *sessionConn) startTimer(body []byte) gateway.Result {
	var m handlerv1.StartTimer
	if proto.Unmarshal(body, &m) != nil {
		return resultMalformed
	}
	return convert.StartTimer(c.conn, m.GetType(), m.GetInterval())
}

func (c *sessionConn) authenticate(body []byte, done gateway.Done) gateway.Result {
	var m handlerv1.Authenticate
	if proto.Unmarshal(body, &m) != nil {
		return resultMalformed
	}
	client := m.GetClientinfo()
	return c.conn.Authenticate(convert.ClientInfo(client), m.GetPassword(), func(r gateway.Result) {
		if r.Ok() {
			c.authenticated(client)
		}
		done(r)
	})
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
func (c *sessionConn) authenticated(client *exproto.ClientInfo) {
	if c.session.policy != target.OnFailureClose && proto.Size(client) <= sessionWindowBytes {
		c.session.mu.Lock()
		defer c.session.mu.Unlock()
		c.client = client
	}
}

// done settles a command when the broker has answered.
func (st *sessionStream) done(command *Command) gateway.Done {
	told := *command
	told.Body = nil
	return func(result gateway.Result) { st.settle(&told, result) }
}

// settle counts the outcome of a command, and tells the handler where it asked for that.
func (st *sessionStream) settle(command *Command, result gateway.Result) {
	s := st.session
	s.metrics.command(command.Order, result)
	if command.Token == 0 {
		return
	}
	response := convert.CodeResponse(result)
	body, err := proto.Marshal(&handlerv1.Result{Token: command.Token, Code: response.GetCode(), Message: response.GetMessage()})
	if err != nil {
		return // numbers and valid text always encode
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.line.live != st {
		s.metrics.dropped(sessionDroppedResult)
		return
	}
	st.line.results.Add(command.Conn, Result, body)
	st.wake()
}
