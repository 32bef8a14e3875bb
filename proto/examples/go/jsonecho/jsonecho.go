// Package jsonecho is the JSON echo protocol as a handler in Go. Its logic is that of wasm-examples/jsonecho/handler,
// shared with the guest; it uses the package proto/sdk/go.
package jsonecho

import (
	"time"

	handler "github.com/exgate/exgate/proto/sdk/go"
	echo "github.com/exgate/exgate/wasm-examples/jsonecho/handler"
)

// New returns a server that calls the gateway's adapter at adapterAddr, host:port, in the dialects that need one.
func New(adapterAddr string) (*handler.Server, error) {
	return handler.New(handler.Config{Adapter: adapterAddr, New: NewHandler})
}

// NewHandler returns the handler of a connection.
func NewHandler() handler.Handler { return new(protocol) }

// protocol is the handler of one connection.
type protocol struct {
	handler.Nothing
	echo *echo.Handler
}

var _ handler.Handler = (*protocol)(nil)

func (p *protocol) OnSocketCreated(c *handler.Conn) { p.echo = echo.New(device{c}) }

func (p *protocol) OnReceivedBytes(_ *handler.Conn, b []byte) { p.echo.Receive(b) }

func (p *protocol) OnTimerTimeout(*handler.Conn) { p.echo.Timeout() }

func (p *protocol) OnReceivedMessages(_ *handler.Conn, messages []*handler.Message) {
	for _, m := range messages {
		p.echo.Deliver(m.GetTopic(), m.GetQos(), m.GetPayload())
	}
}

// device adapts a connection to the protocol. It ignores errors of calls without a reply in the protocol:
// OnSocketClosed reports a closed connection.
type device struct{ conn *handler.Conn }

var _ echo.Device = device{}

func (d device) Send(b []byte) { _ = d.conn.Send(b) }

func (d device) Close() { _ = d.conn.Close() }

func (d device) StartTimer(seconds uint32) {
	_ = d.conn.StartTimer(time.Duration(seconds) * time.Second)
}

func (d device) Authenticate(c echo.Client, password string, done func(bool)) {
	done(d.conn.Authenticate(&handler.ClientInfo{
		ProtoName: c.ProtoName, ProtoVer: c.ProtoVersion, Clientid: c.ClientID, Username: c.Username,
		Mountpoint: c.Mountpoint,
	}, password) == nil)
}

func (d device) Publish(topic string, qos uint32, payload []byte, done func(bool)) {
	done(d.conn.Publish(topic, qos, payload) == nil)
}

func (d device) RawPublish(topic string, qos uint32, payload []byte, done func(bool)) {
	done(d.conn.RawPublish(topic, qos, payload) == nil)
}

func (d device) Subscribe(filter string, qos uint32, done func(bool)) {
	done(d.conn.Subscribe(filter, qos) == nil)
}

func (d device) Unsubscribe(filter string, done func(bool)) {
	done(d.conn.Unsubscribe(filter) == nil)
}
