package main

import (
	exproto "github.com/exgate/exgate/hostabi/sdk/go"
	"github.com/exgate/exgate/wasm-examples/jsonecho/handler"
)

// protocol takes no configuration.
func protocol([]byte) (exproto.NewHandler, error) {
	return func(c *exproto.Conn) exproto.Handler {
		d := &device{conn: c}
		d.echo = handler.New(d)
		return d
	}, nil
}

// device is a connection: the handler for exgate, the device for the protocol.
type device struct {
	exproto.Defaults
	conn *exproto.Conn
	echo *handler.Handler
}

var _ handler.Device = (*device)(nil)

// OnReceivedBytes pauses the socket while a frame waits for the broker.
func (d *device) OnReceivedBytes(b []byte) exproto.Action {
	d.echo.Receive(b)
	if d.echo.Waiting() {
		return exproto.Pause
	}
	return exproto.Continue
}

func (d *device) OnReceivedMessages(messages []exproto.Message) exproto.Action {
	for _, m := range messages {
		d.echo.Deliver(m.Topic, m.QoS, m.Payload)
	}
	return exproto.Continue
}

func (d *device) OnTimerTimeout(exproto.TimerType) exproto.Action {
	d.echo.Timeout()
	return exproto.Continue
}

// answer returns a callback that resumes reading once nothing waits.
func (d *device) answer(done func(bool)) func(exproto.Result) {
	return func(r exproto.Result) {
		done(r.OK())
		if !d.echo.Waiting() {
			d.conn.Resume()
		}
	}
}

// refused completes a call that the gateway refused.
func refused(code exproto.Code, done func(bool)) {
	if code != exproto.Success {
		done(false)
	}
}

func (d *device) Send(b []byte)             { d.conn.Send(b) }
func (d *device) Close()                    { d.conn.Close("") }
func (d *device) StartTimer(seconds uint32) { d.conn.StartTimer(seconds) }

func (d *device) Authenticate(c handler.Client, password string, done func(bool)) {
	client := exproto.ClientInfo{
		ProtoName: c.ProtoName, ProtoVersion: c.ProtoVersion, ClientID: c.ClientID, Username: c.Username,
		Mountpoint: c.Mountpoint,
	}
	refused(d.conn.Authenticate(client, password, d.answer(done)), done)
}

func (d *device) Publish(topic string, qos uint32, payload []byte, done func(bool)) {
	refused(d.conn.Publish(topic, qos, payload, d.answer(done)), done)
}

// RawPublish is refused: a module may publish only for its devices.
func (d *device) RawPublish(_ string, _ uint32, _ []byte, done func(bool)) { done(false) }

func (d *device) Subscribe(filter string, qos uint32, done func(bool)) {
	refused(d.conn.Subscribe(filter, qos, d.answer(done)), done)
}

func (d *device) Unsubscribe(filter string, done func(bool)) {
	refused(d.conn.Unsubscribe(filter, d.answer(done)), done)
}
