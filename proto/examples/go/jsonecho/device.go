package jsonecho

import (
	"context"

	"google.golang.org/grpc"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/wasm-examples/jsonecho/handler"
)

// device is one connection, as the protocol calls it: each method is a call of the adapter that waits for its answer.
type device struct {
	server *Server
	conn   string
	echo   *handler.Handler
	ctx    context.Context // of the callback that is under way
}

var _ handler.Device = (*device)(nil)

// call is one method of the adapter.
type call[Request any] func(context.Context, Request, ...grpc.CallOption) (*exproto.CodeResponse, error)

func do[Request any](d *device, method call[Request], r Request) bool {
	answer, err := method(d.ctx, r)
	if err != nil {
		d.server.log.Warn("the adapter cannot be called", "error", err)
		return false
	}
	return answer.GetCode() == exproto.ResultCode_SUCCESS
}

func (d *device) Send(b []byte) {
	do(d, d.server.adapter.Send, &exproto.SendBytesRequest{Conn: d.conn, Bytes: b})
}

func (d *device) Close() {
	do(d, d.server.adapter.Close, &exproto.CloseSocketRequest{Conn: d.conn})
}

func (d *device) StartTimer(seconds uint32) {
	do(d, d.server.adapter.StartTimer, &exproto.TimerRequest{Conn: d.conn, Type: exproto.TimerType_KEEPALIVE, Interval: seconds})
}

func (d *device) Authenticate(c handler.Client, password string, done func(bool)) {
	info := &exproto.ClientInfo{
		ProtoName: c.ProtoName, ProtoVer: c.ProtoVersion, Clientid: c.ClientID, Username: c.Username, Mountpoint: c.Mountpoint,
	}
	done(do(d, d.server.adapter.Authenticate, &exproto.AuthenticateRequest{Conn: d.conn, Clientinfo: info, Password: password}))
}

func (d *device) Publish(topic string, qos uint32, payload []byte, done func(bool)) {
	done(do(d, d.server.adapter.Publish, &exproto.PublishRequest{Conn: d.conn, Topic: topic, Qos: qos, Payload: payload}))
}

func (d *device) RawPublish(topic string, qos uint32, payload []byte, done func(bool)) {
	done(do(d, d.server.adapter.RawPublish, &exproto.RawPublishRequest{Topic: topic, Qos: qos, Payload: payload}))
}

func (d *device) Subscribe(filter string, qos uint32, done func(bool)) {
	done(do(d, d.server.adapter.Subscribe, &exproto.SubscribeRequest{Conn: d.conn, Topic: filter, Qos: qos}))
}

func (d *device) Unsubscribe(filter string, done func(bool)) {
	done(do(d, d.server.adapter.Unsubscribe, &exproto.UnsubscribeRequest{Conn: d.conn, Topic: filter}))
}
