package handler

import (
	"math"
	"sync"
	"time"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
)

// Conn is the connection of one device. Its methods may be called from any goroutine at any time; after the connection
// has ended, they return [CodeNotAlive].
type Conn struct {
	id         string
	info       *ConnInfo
	properties []*Property
	client     *ClientInfo
	resumed    bool
	handler    Handler
	gateway    gateway

	mu sync.Mutex // held while a callback runs
}

// gateway makes the calls of one connection. do waits for the outcome; tell does not, if the dialect allows that.
type gateway interface {
	do(command *handlerv1.Command) error
	tell(command *handlerv1.Command) error
	// state returns what came with the result of the login.
	state() []byte
}

// ID returns the id of the connection: opaque, and unique among all gateways.
func (c *Conn) ID() string { return c.id }

// Info describes the connection. It is nil for a resumed connection in the dialects unary and stream, which do not send
// it again.
func (c *Conn) Info() *ConnInfo { return c.info }

// Resumed reports whether the device was already connected before this process, or this stream of the gateway, started.
// The device notices nothing, so do not greet it like a new one.
func (c *Conn) Resumed() bool { return c.resumed }

// Client returns what a resumed connection was authenticated with, or nil.
func (c *Conn) Client() *ClientInfo { return c.client }

// Send queues bytes for the device. b must not be changed afterwards. An error means that the connection is closed;
// bytes may also be lost without an error, as with any socket.
func (c *Conn) Send(b []byte) error {
	return c.gateway.tell(&handlerv1.Command{Command: &handlerv1.Command_Send{Send: b}})
}

// Close closes the connection after sending the queued bytes. OnSocketClosed follows.
func (c *Conn) Close() error {
	return c.gateway.tell(&handlerv1.Command{Command: &handlerv1.Command_Close{Close: &handlerv1.Close{}}})
}

// StartTimer sets or replaces the keepalive: OnTimerTimeout is called when nothing has been received for this long, in
// whole seconds.
func (c *Conn) StartTimer(interval time.Duration) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_StartTimer{
		StartTimer: &handlerv1.StartTimer{Interval: uint32(interval / time.Second)},
	}})
}

// SetTimer sets or replaces the one-shot timer id, 0 to 15: the handler's OnAlarm (see [AlarmHandler]) is called once
// after this time, 10 ms or more. A negative time cancels it. Nothing is closed. Timers stay with a connection that
// continues on another stream. It works only in the dialect session, with a gateway that has timers; otherwise it
// returns [CodeParamsTypeError].
func (c *Conn) SetTimer(id uint32, after time.Duration) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_SetTimer{
		SetTimer: &handlerv1.SetTimer{Id: id, Ms: milliseconds(after)},
	}})
}

// milliseconds returns d in milliseconds, or the nearest value that SetTimer has.
func milliseconds(d time.Duration) int32 {
	if d < 0 {
		return -1
	}
	return int32(min(d.Milliseconds(), math.MaxInt32))
}

// Authenticate logs the device in at the broker. If it succeeds, State returns what the gateway keeps for the device.
func (c *Conn) Authenticate(client *ClientInfo, password string) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_Authenticate{
		Authenticate: &handlerv1.Authenticate{Clientinfo: client, Password: password},
	}})
}

// State returns what SaveState saved last for this device and handler, as it came with the result of Authenticate. It
// is nil before that, and if nothing is kept.
func (c *Conn) State() []byte { return c.gateway.state() }

// SaveState replaces the state that the gateway keeps for this device and handler: at most 4 KiB, unless it is
// configured otherwise. It comes back with the device's next login, also after a restart; an empty one deletes it. It
// returns once the state is durable, within a second: to go on meanwhile, call it in a goroutine. It works only in the
// dialect session, with a gateway that keeps state; otherwise it returns [CodeParamsTypeError] or [CodeUnknown].
func (c *Conn) SaveState(state []byte) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_SaveState{
		SaveState: &handlerv1.SaveState{State: state},
	}})
}

// Publish sends a message to the broker for the device. At qos 1 and 2 it returns once the broker has acknowledged it.
func (c *Conn) Publish(topic string, qos uint32, payload []byte) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_Publish{
		Publish: &handlerv1.Publish{Topic: topic, Qos: qos, Payload: payload},
	}})
}

// RawPublish publishes outside of the connection and its access rules, if the gateway's configuration allows it.
func (c *Conn) RawPublish(topic string, qos uint32, payload []byte) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_RawPublish{
		RawPublish: &handlerv1.Publish{Topic: topic, Qos: qos, Payload: payload},
	}})
}

// Subscribe adds a subscription for the device. qos is the highest QoS to receive.
func (c *Conn) Subscribe(filter string, qos uint32) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_Subscribe{
		Subscribe: &handlerv1.Subscribe{Topic: filter, Qos: qos},
	}})
}

// Unsubscribe removes a subscription, which need not exist.
func (c *Conn) Unsubscribe(filter string) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_Unsubscribe{
		Unsubscribe: &handlerv1.Unsubscribe{Topic: filter},
	}})
}

// Pause stops reading the device's socket until Resume. It works only in the dialect session; in others it returns
// [CodeParamsTypeError].
func (c *Conn) Pause() error {
	return c.gateway.tell(&handlerv1.Command{Command: &handlerv1.Command_Pause{Pause: &handlerv1.Pause{}}})
}

// Resume ends Pause.
func (c *Conn) Resume() error {
	return c.gateway.tell(&handlerv1.Command{Command: &handlerv1.Command_Resume{Resume: &handlerv1.Resume{}}})
}
