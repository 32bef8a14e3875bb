package adapter

import (
	"context"
	"log/slog"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/adapter/internal/peer"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
)

// calls implements the service ConnectionAdapter. Handlers look only at the CodeResponse, so an RPC itself fails only
// if its caller has gone.
type calls struct {
	exproto.UnimplementedConnectionAdapterServer
	conns     *directory
	node      string
	peers     *peer.Peers // nil without peers
	admission *admission
	raw       *rawPublishes
	log       *slog.Logger
}

func (s *calls) Send(ctx context.Context, r *exproto.SendBytesRequest) (*exproto.CodeResponse, error) {
	return s.queue(ctx, "Send", r, func(c gateway.ConnectionAdapter) gateway.Result { return c.Send(r.GetBytes()) })
}

func (s *calls) Close(ctx context.Context, r *exproto.CloseSocketRequest) (*exproto.CodeResponse, error) {
	return s.queue(ctx, "Close", r,
		func(c gateway.ConnectionAdapter) gateway.Result { return c.Close(gateway.ReasonNormal) })
}

func (s *calls) StartTimer(ctx context.Context, r *exproto.TimerRequest) (*exproto.CodeResponse, error) {
	return s.queue(ctx, "StartTimer", r, func(c gateway.ConnectionAdapter) gateway.Result {
		return convert.StartTimer(c, r.GetType(), r.GetInterval())
	})
}

func (s *calls) Authenticate(ctx context.Context, r *exproto.AuthenticateRequest) (*exproto.CodeResponse, error) {
	return s.wait(ctx, "Authenticate", r, func(c gateway.ConnectionAdapter, done gateway.Done) gateway.Result {
		return c.Authenticate(convert.ClientInfo(r.GetClientinfo()), r.GetPassword(), done)
	})
}

func (s *calls) Publish(ctx context.Context, r *exproto.PublishRequest) (*exproto.CodeResponse, error) {
	return s.wait(ctx, "Publish", r, func(c gateway.ConnectionAdapter, done gateway.Done) gateway.Result {
		return c.Publish(r.GetTopic(), r.GetQos(), r.GetPayload(), done)
	})
}

func (s *calls) Subscribe(ctx context.Context, r *exproto.SubscribeRequest) (*exproto.CodeResponse, error) {
	return s.wait(ctx, "Subscribe", r, func(c gateway.ConnectionAdapter, done gateway.Done) gateway.Result {
		return c.Subscribe(r.GetTopic(), r.GetQos(), done)
	})
}

func (s *calls) Unsubscribe(ctx context.Context, r *exproto.UnsubscribeRequest) (*exproto.CodeResponse, error) {
	return s.wait(ctx, "Unsubscribe", r, func(c gateway.ConnectionAdapter, done gateway.Done) gateway.Result {
		return c.Unsubscribe(r.GetTopic(), done)
	})
}

func (s *calls) RawPublish(ctx context.Context, r *exproto.RawPublishRequest) (*exproto.CodeResponse, error) {
	result, err := callerOf(ctx).await(func(done gateway.Done) gateway.Result {
		return s.raw.publish(r.GetTopic(), r.GetQos(), r.GetPayload(), done)
	})
	if err != nil {
		return nil, err
	}
	return s.answer("", "RawPublish", "", result), nil
}

type connRequest interface {
	proto.Message
	GetConn() string
}

// find returns the connection named id if the caller may call for it. A connection of another handler is reported as
// unknown, so that ids cannot be guessed.
func (s *calls) find(c *caller, id string) (*listedConn, gateway.Result) {
	if id == "" {
		return nil, gateway.Refuse(gateway.CodeRequiredParamsMiss, "conn is required")
	}
	conn, ok := s.conns.find(id)
	if !ok || !s.admission.mayCall(c, conn) {
		return nil, resultNoConn
	}
	return conn, gateway.OK
}

var resultNoConn = gateway.Refuse(gateway.CodeConnProcessNotAlive, "no connection of this handler has this conn")

// to executes a call for the connection of request, here or on its node.
func (s *calls) to(
	ctx context.Context, method string, request connRequest,
	call func(*caller, gateway.ConnectionAdapter) (gateway.Result, error),
) (*exproto.CodeResponse, error) {
	c, id := callerOf(ctx), request.GetConn()
	if s.isElsewhere(c, id) {
		return s.forward(c, method, request)
	}
	conn, result := s.find(c, id)
	if result.Ok() {
		var err error
		if result, err = call(c, conn); err != nil {
			return nil, err
		}
	}
	return s.answer(conn.handler(), method, id, result), nil
}

// queue executes a call that does not wait for the broker.
func (s *calls) queue(
	ctx context.Context, method string, request connRequest, call func(gateway.ConnectionAdapter) gateway.Result,
) (*exproto.CodeResponse, error) {
	return s.to(ctx, method, request,
		func(_ *caller, conn gateway.ConnectionAdapter) (gateway.Result, error) { return call(conn), nil })
}

// wait executes a call that waits for the broker's answer.
func (s *calls) wait(
	ctx context.Context, method string, request connRequest,
	call func(gateway.ConnectionAdapter, gateway.Done) gateway.Result,
) (*exproto.CodeResponse, error) {
	return s.to(ctx, method, request, func(c *caller, conn gateway.ConnectionAdapter) (gateway.Result, error) {
		return c.await(func(done gateway.Done) gateway.Result { return call(conn, done) })
	})
}

// await returns the result of start if that is an error, and otherwise waits for done. It gives up when the caller goes
// away.
func (c *caller) await(start func(gateway.Done) gateway.Result) (gateway.Result, error) {
	done := make(chan gateway.Result, 1)
	result := start(func(r gateway.Result) { done <- r })
	if !result.Ok() {
		return result, nil
	}
	select {
	case result = <-done:
		return result, nil
	case <-c.call.Done():
		return result, status.FromContextError(c.call.Err()).Err()
	}
}

func (s *calls) answer(handler, method, id string, result gateway.Result) *exproto.CodeResponse {
	s.admission.metrics.calls.WithLabelValues(handler, method, result.Code.String()).Inc()
	if !result.Ok() {
		s.log.Debug("adapter call refused", "method", method, "conn", convert.Shorten(id), "result", result)
	}
	return convert.CodeResponse(result)
}
