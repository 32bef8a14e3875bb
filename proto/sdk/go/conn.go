package handler

import (
	"sync"
	"time"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
)

// Conn is one device's connection. Its methods may be called from any goroutine, at any time; after the end each call
// is [CodeNotAlive].
type Conn struct {
	id      string
	info    *ConnInfo
	client  *ClientInfo
	resumed bool
	handler Handler
	gateway gateway

	mu sync.Mutex // held while a callback runs
}

// gateway carries out the calls of one connection. do waits for the outcome; tell does not, where the dialect can.
type gateway interface {
	do(command *handlerv1.Command) error
	tell(command *handlerv1.Command) error
}

// ID is the connection's name: opaque, unique among all gateways.
func (c *Conn) ID() string { return c.id }

// Info says who is at the other end. It is nil for a resumed connection in the dialects unary and stream, which do not
// tell it again.
func (c *Conn) Info() *ConnInfo { return c.info }

// Resumed reports whether the device was connected before this process, or this stream of the gateway, knew it. The
// device does not notice, so what the handler would do for a new one may be wrong.
func (c *Conn) Resumed() bool { return c.resumed }

// Client is what a resumed connection was authenticated with, or nil.
func (c *Conn) Client() *ClientInfo { return c.client }

// Send queues bytes for the device. b must not be changed afterwards. An error tells that the connection is gone; the
// bytes may be lost without one, as with every socket.
func (c *Conn) Send(b []byte) error {
	return c.gateway.tell(&handlerv1.Command{Command: &handlerv1.Command_Send{Send: b}})
}

// Close ends the connection after what was sent went out. OnSocketClosed follows.
func (c *Conn) Close() error {
	return c.gateway.tell(&handlerv1.Command{Command: &handlerv1.Command_Close{Close: &handlerv1.Close{}}})
}

// StartTimer sets or replaces the keepalive: when nothing was received for this long, in whole seconds, OnTimerTimeout
// comes.
func (c *Conn) StartTimer(interval time.Duration) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_StartTimer{
		StartTimer: &handlerv1.StartTimer{Interval: uint32(interval / time.Second)},
	}})
}

// Authenticate logs the device in at the broker.
func (c *Conn) Authenticate(client *ClientInfo, password string) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_Authenticate{
		Authenticate: &handlerv1.Authenticate{Clientinfo: client, Password: password},
	}})
}

// Publish sends a message to the broker as the device. At qos 1 and 2 it returns when the broker has it.
func (c *Conn) Publish(topic string, qos uint32, payload []byte) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_Publish{
		Publish: &handlerv1.Publish{Topic: topic, Qos: qos, Payload: payload},
	}})
}

// RawPublish publishes past the connection and its access control, where the gateway's configuration allows it.
func (c *Conn) RawPublish(topic string, qos uint32, payload []byte) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_RawPublish{
		RawPublish: &handlerv1.Publish{Topic: topic, Qos: qos, Payload: payload},
	}})
}

// Subscribe adds a subscription for the device. qos is the highest wanted.
func (c *Conn) Subscribe(filter string, qos uint32) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_Subscribe{
		Subscribe: &handlerv1.Subscribe{Topic: filter, Qos: qos},
	}})
}

// Unsubscribe removes a subscription; it need not exist.
func (c *Conn) Unsubscribe(filter string) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_Unsubscribe{
		Unsubscribe: &handlerv1.Unsubscribe{Topic: filter},
	}})
}

// Pause stops the reading of the device's socket until Resume. Only the dialect session can; in others it is
// [CodeParamsTypeError].
func (c *Conn) Pause() error {
	return c.gateway.tell(&handlerv1.Command{Command: &handlerv1.Command_Pause{Pause: &handlerv1.Pause{}}})
}

// Resume ends Pause.
func (c *Conn) Resume() error {
	return c.gateway.tell(&handlerv1.Command{Command: &handlerv1.Command_Resume{Resume: &handlerv1.Resume{}}})
}
