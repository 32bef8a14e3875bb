package handlertest_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/handlertest"
	"github.com/exgate/exgate/wasm-examples/jsonecho/handler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestNativeHandler plays the suite with the protocol as a plain Go value, the reference for the other kinds.
func TestNativeHandler(t *testing.T) {
	handlertest.Run(t, "native", func(*testing.T) gateway.HandlerFactory { return native{} })
}

type native struct{}

func (native) NewHandler(conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	d := &nativeDevice{conn: conn}
	d.echo = handler.New(d)
	return d, nil
}

func (native) Close(context.Context) error { return nil }

// nativeDevice pauses while a call is in progress and takes its result as an event.
type nativeDevice struct {
	conn gateway.ConnectionAdapter
	echo *handler.Handler
}

func (d *nativeDevice) OnSocketCreated(gateway.ConnInfo) error { return nil }

func (d *nativeDevice) OnReceivedBytes(b []byte) error {
	d.echo.Receive(b)
	if d.echo.Waiting() {
		d.conn.Pause()
	}
	return nil
}

func (d *nativeDevice) OnTimerTimeout(gateway.TimerType) error {
	d.echo.Timeout()
	return nil
}

func (d *nativeDevice) OnReceivedMessages(messages []gateway.Message) error {
	for _, m := range messages {
		d.echo.Deliver(m.Topic, uint32(m.QoS), m.Payload)
	}
	return nil
}

func (d *nativeDevice) OnSocketClosed(gateway.CloseReason) error { return nil }

func (d *nativeDevice) Send(b []byte)             { d.conn.Send(b) }
func (d *nativeDevice) Close()                    { d.conn.Close(gateway.ReasonNormal) }
func (d *nativeDevice) StartTimer(seconds uint32) { d.conn.StartTimer(gateway.TimerKeepalive, seconds) }

func (d *nativeDevice) answer(done func(bool)) gateway.Done {
	return func(r gateway.Result) {
		d.conn.Post(func() error {
			done(r.Ok())
			if !d.echo.Waiting() {
				d.conn.Resume()
			}
			return nil
		})
	}
}

func refused(r gateway.Result, done func(bool)) {
	if !r.Ok() {
		done(false)
	}
}

func (d *nativeDevice) Authenticate(c handler.Client, password string, done func(bool)) {
	client := gateway.ClientInfo{
		ProtoName: c.ProtoName, ProtoVersion: c.ProtoVersion, ClientID: c.ClientID, Username: c.Username,
		Mountpoint: c.Mountpoint,
	}
	refused(d.conn.Authenticate(client, password, d.answer(done)), done)
}

func (d *nativeDevice) Publish(topic string, qos uint32, payload []byte, done func(bool)) {
	refused(d.conn.Publish(topic, qos, payload, d.answer(done)), done)
}

func (d *nativeDevice) RawPublish(_ string, _ uint32, _ []byte, done func(bool)) { done(false) }

func (d *nativeDevice) Subscribe(filter string, qos uint32, done func(bool)) {
	refused(d.conn.Subscribe(filter, qos, d.answer(done)), done)
}

func (d *nativeDevice) Unsubscribe(filter string, done func(bool)) {
	refused(d.conn.Unsubscribe(filter, d.answer(done)), done)
}
