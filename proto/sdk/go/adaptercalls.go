package handler

import (
	"context"
	"fmt"
	"time"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
)

// adapterTimeout limits a call. It is longer than a gateway waits for its broker.
const adapterTimeout = 30 * time.Second

// adapterCalls is the gateway in the dialects with a ConnectionAdapter: each call is an RPC.
type adapterCalls struct {
	conn    string
	adapter exproto.ConnectionAdapterClient
}

var _ gateway = (*adapterCalls)(nil)

func (a *adapterCalls) tell(command *handlerv1.Command) error { return a.do(command) }

func (a *adapterCalls) do(command *handlerv1.Command) error {
	ctx, cancel := context.WithTimeout(context.Background(), adapterTimeout)
	defer cancel()
	answer, err := a.call(ctx, command)
	if err != nil {
		return fmt.Errorf("calling the adapter: %w", err)
	}
	return resultError(answer.GetCode(), answer.GetMessage())
}

// state returns nil: the ExProto dialects have none.
func (*adapterCalls) state() []byte { return nil }

func (a *adapterCalls) call(ctx context.Context, command *handlerv1.Command) (*exproto.CodeResponse, error) {
	switch x := command.GetCommand().(type) {
	case *handlerv1.Command_Send:
		return a.adapter.Send(ctx, &exproto.SendBytesRequest{Conn: a.conn, Bytes: x.Send})
	case *handlerv1.Command_Close:
		return a.adapter.Close(ctx, &exproto.CloseSocketRequest{Conn: a.conn})
	case *handlerv1.Command_StartTimer:
		return a.adapter.StartTimer(ctx, &exproto.TimerRequest{
			Conn: a.conn, Type: x.StartTimer.GetType(), Interval: x.StartTimer.GetInterval(),
		})
	case *handlerv1.Command_Authenticate:
		r := &exproto.AuthenticateRequest{
			Conn: a.conn, Clientinfo: x.Authenticate.GetClientinfo(), Password: x.Authenticate.GetPassword(),
		}
		return a.adapter.Authenticate(ctx, r)
	case *handlerv1.Command_Publish:
		p := x.Publish
		if p.GetProperties() != nil {
			return refused("this dialect has no properties: use session"), nil
		}
		return a.adapter.Publish(ctx, &exproto.PublishRequest{
			Conn: a.conn, Topic: p.GetTopic(), Qos: p.GetQos(), Payload: p.GetPayload(),
		})
	case *handlerv1.Command_RawPublish:
		p := x.RawPublish
		return a.adapter.RawPublish(ctx, &exproto.RawPublishRequest{
			Topic: p.GetTopic(), Qos: p.GetQos(), Payload: p.GetPayload(),
		})
	case *handlerv1.Command_Subscribe:
		return a.adapter.Subscribe(ctx, &exproto.SubscribeRequest{
			Conn: a.conn, Topic: x.Subscribe.GetTopic(), Qos: x.Subscribe.GetQos(),
		})
	case *handlerv1.Command_Unsubscribe:
		return a.adapter.Unsubscribe(ctx, &exproto.UnsubscribeRequest{Conn: a.conn, Topic: x.Unsubscribe.GetTopic()})
	default:
		return refused("this dialect has no such call"), nil
	}
}

func refused(why string) *exproto.CodeResponse {
	return &exproto.CodeResponse{Code: CodeParamsTypeError, Message: why}
}
