package remote

import (
	"context"
	"log/slog"

	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
)

// calls is the service ConnectionAdapter. Handlers look at the CodeResponse only, so an RPC itself fails only where its caller has gone.
type calls struct {
	exproto.UnimplementedConnectionAdapterServer
	conns   *registry
	raw     RawPublisher // nil: not allowed
	log     *slog.Logger
	metrics *Metrics
}

func (s *calls) Send(_ context.Context, r *exproto.SendBytesRequest) (*exproto.CodeResponse, error) {
	return s.queue("Send", r, func(c gateway.ConnectionAdapter) gateway.Result { return c.Send(r.GetBytes()) }), nil
}

func (s *calls) Close(_ context.Context, r *exproto.CloseSocketRequest) (*exproto.CodeResponse, error) {
	return s.queue("Close", r, func(c gateway.ConnectionAdapter) gateway.Result { return c.Close(gateway.ReasonNormal) }), nil
}

func (s *calls) StartTimer(_ context.Context, r *exproto.TimerRequest) (*exproto.CodeResponse, error) {
	return s.queue("StartTimer", r, func(c gateway.ConnectionAdapter) gateway.Result {
		if _, known := exproto.TimerType_name[int32(r.GetType())]; !known {
			return gateway.Refuse(gateway.CodeParamsTypeError, "timer type %d does not exist", r.GetType())
		}
		return c.StartTimer(gateway.TimerType(r.GetType()), r.GetInterval())
	}), nil
}

func (s *calls) Authenticate(ctx context.Context, r *exproto.AuthenticateRequest) (*exproto.CodeResponse, error) {
	return s.wait(ctx, "Authenticate", r, func(c gateway.ConnectionAdapter, done gateway.Done) gateway.Result {
		return c.Authenticate(clientInfo(r.GetClientinfo()), r.GetPassword(), done)
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
	return s.await(ctx, "RawPublish", "", func(done gateway.Done) gateway.Result {
		if s.raw == nil {
			return gateway.Refuse(gateway.CodePermissionDeny, "RawPublish is off: the gateway's setting adapter.raw_publish allows it")
		}
		return s.raw.RawPublish(r.GetTopic(), r.GetQos(), r.GetPayload(), done)
	})
}

type connRequest interface{ GetConn() string }

// queue answers a call that does not wait for the broker.
func (s *calls) queue(method string, request connRequest, call func(gateway.ConnectionAdapter) gateway.Result) *exproto.CodeResponse {
	conn, result := s.conns.find(request.GetConn())
	if result.Ok() {
		result = call(conn)
	}
	return s.answer(method, request.GetConn(), result)
}

// wait answers a call to a connection when the broker has answered it.
func (s *calls) wait(
	ctx context.Context, method string, request connRequest, call func(gateway.ConnectionAdapter, gateway.Done) gateway.Result,
) (*exproto.CodeResponse, error) {
	return s.await(ctx, method, request.GetConn(), func(done gateway.Done) gateway.Result {
		conn, result := s.conns.find(request.GetConn())
		if !result.Ok() {
			return result
		}
		return call(conn, done)
	})
}

// await returns the result of start: at once where it refuses, else that of done. It gives up when the caller has gone.
func (s *calls) await(ctx context.Context, method, id string, start func(gateway.Done) gateway.Result) (*exproto.CodeResponse, error) {
	done := make(chan gateway.Result, 1)
	result := start(func(r gateway.Result) { done <- r })
	if !result.Ok() {
		return s.answer(method, id, result), nil
	}
	select {
	case result = <-done:
		return s.answer(method, id, result), nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

func (s *calls) answer(method, id string, result gateway.Result) *exproto.CodeResponse {
	s.metrics.adapterCalls.WithLabelValues(method, result.Code.String()).Inc()
	if !result.Ok() {
		s.log.Debug("adapter call refused", "method", method, "conn", shorten(id), "result", result)
	}
	return codeResponse(result)
}
