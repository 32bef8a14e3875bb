package session

import (
	"google.golang.org/protobuf/proto"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
	"github.com/exgate/exgate/runtime/remote/target"
)

// execute executes a command. c is nil if its connection is unknown.
func (st *stream) execute(c *conn, command *command) {
	switch {
	case command.Order == orderRawPublish:
		st.rawPublish(command)
	case c == nil:
		st.session.metrics.dropped(droppedUnknownConn)
	default:
		st.executeFor(c, command)
	}
}

func (st *stream) executeFor(c *conn, command *command) {
	switch command.Order {
	case noOrder:
		if command.Token != 0 {
			st.settle(command, resultUnknownCommand)
		}
	case orderSend:
		st.settle(command, c.conn.Send(command.Body))
	case orderClose:
		st.settle(command, c.closeForHandler())
	case orderStartTimer:
		st.settle(command, c.startTimer(command.Body))
	case orderSetTimer:
		st.settle(command, c.setTimer(command.Body))
	case orderPause:
		c.conn.Pause()
		st.settle(command, gateway.OK)
	case orderResume:
		st.settle(command, c.conn.Resume())
	default:
		if result := st.executeAsync(c, command); !result.Ok() {
			st.settle(command, result)
		}
	}
}

// executeAsync executes a command that waits for the broker.
func (st *stream) executeAsync(c *conn, command *command) gateway.Result {
	done := st.done(command)
	switch command.Order {
	case orderAuthenticate:
		return c.authenticate(command.Body, st.loggedIn(c, command))
	case orderSaveState:
		var m handlerv1.SaveState
		if proto.Unmarshal(command.Body, &m) != nil {
			return resultMalformed
		}
		return c.conn.SaveState(m.GetState(), done)
	case orderPublish:
		return c.publish(command.Body, done)
	case orderSubscribe:
		var m handlerv1.Subscribe
		if proto.Unmarshal(command.Body, &m) != nil {
			return resultMalformed
		}
		return c.conn.Subscribe(m.GetTopic(), m.GetQos(), done)
	case orderUnsubscribe:
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

func (st *stream) rawPublish(command *command) {
	m, props, result := parsePublish(command.Body)
	switch {
	case !result.Ok():
	case props != nil:
		result = resultRawProperties
	default:
		result = st.session.publish(m.GetTopic(), m.GetQos(), m.GetPayload(), st.done(command))
	}
	if !result.Ok() {
		st.settle(command, result)
	}
}

func (c *conn) publish(body []byte, done gateway.Done) gateway.Result {
	m, props, result := parsePublish(body)
	switch {
	case !result.Ok():
		return result
	case props == nil:
		return c.conn.Publish(m.GetTopic(), m.GetQos(), m.GetPayload(), done)
	default:
		return c.conn.PublishWith(m.GetTopic(), m.GetQos(), m.GetPayload(), props, done)
	}
}

func (c *conn) startTimer(body []byte) gateway.Result {
	var m handlerv1.StartTimer
	if proto.Unmarshal(body, &m) != nil {
		return resultMalformed
	}
	return convert.StartTimer(c.conn, m.GetType(), m.GetInterval())
}

func (c *conn) setTimer(body []byte) gateway.Result {
	var m handlerv1.SetTimer
	if proto.Unmarshal(body, &m) != nil {
		return resultMalformed
	}
	return c.conn.SetTimer(m.GetId(), m.GetMs())
}

func (c *conn) authenticate(body []byte, done gateway.Done) gateway.Result {
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

// closeForHandler closes the connection and wakes its waiting event.
func (c *conn) closeForHandler() gateway.Result {
	result := c.conn.Close(gateway.ReasonNormal)
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	c.handlerClosed = true
	c.notify()
	return result
}

// authenticated keeps the identity, to announce it on another stream.
func (c *conn) authenticated(client *exproto.ClientInfo) {
	if c.session.onFailure != target.OnFailureClose && proto.Size(client) <= windowBytes {
		c.session.mu.Lock()
		defer c.session.mu.Unlock()
		c.client = client
	}
}

// done returns what settles a command when the broker has answered.
func (st *stream) done(command *command) gateway.Done {
	settled := *command
	settled.Body = nil
	return func(result gateway.Result) { st.settle(&settled, result) }
}

// loggedIn is done for a login: the state of the device comes with its result.
func (st *stream) loggedIn(c *conn, command *command) gateway.Done {
	settled := *command
	settled.Body = nil
	return func(result gateway.Result) { st.settleWith(&settled, result, c.conn.State()) }
}

// settle counts the result of a command, and sends it if the handler asked for it.
func (st *stream) settle(command *command, result gateway.Result) {
	st.settleWith(command, result, nil)
}

// settleWith is settle for a result with the state of the device.
func (st *stream) settleWith(command *command, result gateway.Result, state []byte) {
	s := st.session
	s.metrics.command(command.Order, result)
	if command.Token == 0 {
		return
	}
	response := convert.CodeResponse(result)
	body, err := proto.Marshal(&handlerv1.Result{
		Token: command.Token, Code: response.GetCode(), Message: response.GetMessage(), State: state,
	})
	if err != nil {
		return // cannot fail: numbers and valid text
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.line.live != st {
		s.metrics.dropped(droppedLateResult)
		return
	}
	st.line.results.Add(command.Conn, resultEvent, body)
	st.wake()
}
