package remote

import (
	"cmp"
	"errors"

	"google.golang.org/grpc/codes"

	"github.com/exgate/exgate/runtime/gateway"
)

// autoHandler is a connection whose handler's dialect was perhaps not known when it came.
type autoHandler struct {
	delivery
	auto  *auto
	spoke *spoken
	inner gateway.ConnectionHandler // nil until the dialect is known
}

var _ gateway.Drainer = (*autoHandler)(nil)

// errNoDialect ends a connection whose waiting for the dialect ended without one.
var errNoDialect error = &gateway.HandlerError{Reason: gateway.ReasonHandlerUnavailable, Err: errors.New("the handler's dialect is not known")}

func (a *auto) newHandler(conn gateway.ConnectionAdapter) gateway.ConnectionHandler {
	return &autoHandler{delivery: newDelivery(a.client, conn), auto: a}
}

func (h *autoHandler) OnSocketCreated(info gateway.ConnInfo) error {
	if h.spoke = h.auto.current(); h.spoke == nil {
		err := h.deliver(h.auto, nil)
		if h.spoke = h.auto.current(); err != nil || h.spoke == nil {
			return cmp.Or(err, errNoDialect)
		}
		h.pin.Release()
	}
	h.inner = h.spoke.newHandler(h.conn)
	return h.check(h.inner.OnSocketCreated(info))
}

func (h *autoHandler) OnReceivedBytes(b []byte) error { return h.check(h.inner.OnReceivedBytes(b)) }

func (h *autoHandler) OnTimerTimeout(t gateway.TimerType) error {
	return h.check(h.inner.OnTimerTimeout(t))
}

func (h *autoHandler) OnReceivedMessages(messages []gateway.Message) error {
	return h.check(h.inner.OnReceivedMessages(messages))
}

// OnDrain is for dialects that tell the handler.
func (h *autoHandler) OnDrain() error {
	if d, ok := h.inner.(gateway.Drainer); ok {
		return h.check(d.OnDrain())
	}
	return nil
}

// OnSocketClosed tells the handler, unless none was found that could have heard of the connection.
func (h *autoHandler) OnSocketClosed(reason gateway.CloseReason) error {
	if h.inner == nil {
		h.pin.Release()
		return nil
	}
	return h.check(h.inner.OnSocketClosed(reason))
}

// check looks for the answer of a handler that does not know the call. A session that is gone may have been ended by a handler of another dialect too.
func (h *autoHandler) check(err error) error {
	switch codeOf(err) {
	case codes.Unimplemented:
		h.auto.forget(h.spoke)
	case codes.Unavailable:
		if h.spoke.dialect == DialectSession {
			h.auto.forget(h.spoke)
		}
	}
	return err
}
