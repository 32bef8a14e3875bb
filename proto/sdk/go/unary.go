package handler

import (
	"context"

	"github.com/exgate/exgate/proto/exproto"
)

// unaryCallbacks serves the dialects unary and unary-v42: one event per RPC.
type unaryCallbacks struct {
	exproto.UnimplementedConnectionUnaryHandlerServer
	*callbacks
}

func (s unaryCallbacks) OnSocketCreated(
	_ context.Context, r *exproto.SocketCreatedRequest,
) (*exproto.EmptySuccess, error) {
	s.created(r)
	return &exproto.EmptySuccess{}, nil
}

func (s unaryCallbacks) OnSocketClosed(
	_ context.Context, r *exproto.SocketClosedRequest,
) (*exproto.EmptySuccess, error) {
	s.closed(r)
	return &exproto.EmptySuccess{}, nil
}

func (s unaryCallbacks) OnReceivedBytes(
	_ context.Context, r *exproto.ReceivedBytesRequest,
) (*exproto.EmptySuccess, error) {
	s.bytes(r)
	return &exproto.EmptySuccess{}, nil
}

func (s unaryCallbacks) OnTimerTimeout(
	_ context.Context, r *exproto.TimerTimeoutRequest,
) (*exproto.EmptySuccess, error) {
	s.timer(r)
	return &exproto.EmptySuccess{}, nil
}

func (s unaryCallbacks) OnReceivedMessages(
	_ context.Context, r *exproto.ReceivedMessagesRequest,
) (*exproto.EmptySuccess, error) {
	s.messages(r)
	return &exproto.EmptySuccess{}, nil
}
