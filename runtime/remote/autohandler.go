package remote

import (
	"cmp"
	"errors"

	"google.golang.org/grpc/codes"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/callback"
	"github.com/exgate/exgate/runtime/remote/target"
)

// autoHandler is a connection whose handler's dialect was perhaps not known when it came.
type autoHandler struct {
	callback.Delivery
	auto    *auto
	speaker *speaker
	inner   gateway.ConnectionHandler // nil until the dialect is known
}

var _ gateway.Drainer = (*autoHandler)(nil)

// errNoDialect ends a connection whose waiting for the dialect ended without one.
var errNoDialect error = &gateway.HandlerError{Reason: gateway.ReasonHandlerUnavailable, Err: errors.New("the handler's dialect is not known")}

func (a *auto) newHandler(conn gateway.ConnectionAdapter) gateway.ConnectionHandler {
	return &autoHandler{Delivery: callback.NewDelivery(a.caller, conn), auto: a}
}

func (h *autoHandler) OnSocketCreated(info gateway.ConnInfo) error {
	if h.speaker = h.auto.current(); h.speaker == nil {
		err := h.Deliver(h.auto, nil)
		h.Pin.Release()
		if err != nil {
			return err
		}
		if h.speaker = h.auto.current(); h.speaker == nil {
			return h.createWithQuery(info)
		}
	}
	h.inner = h.speaker.newHandler(h.Conn)
	err := h.inner.OnSocketCreated(info)
	if target.CodeOf(err) == codes.NotFound {
		h.auto.forget(h.speaker)
	}
	return h.check(err)
}

// createWithQuery has OnSocketCreated find out the dialect.
func (h *autoHandler) createWithQuery(info gateway.ConnInfo) error {
	first := &firstEvent{auto: h.auto, conn: h.Conn}
	asker := callback.NewHandler(h.auto.caller, h.Conn, &callback.Methods{Created: first})
	h.inner = asker
	err := asker.OnSocketCreated(info)
	if first.calls == nil { // the handler has not heard of the connection
		h.inner = nil
		asker.Forget()
		return cmp.Or(err, errNoDialect)
	}
	asker.Methods, h.speaker = first.calls, first.speaker
	return h.check(err)
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
		h.Pin.Release()
		return nil
	}
	return h.check(h.inner.OnSocketClosed(reason))
}

// check looks for the answer of a handler that does not know the call. A session that is gone may have been ended by a handler of another dialect too.
func (h *autoHandler) check(err error) error {
	switch code := target.CodeOf(err); {
	case h.speaker == nil:
	case code == codes.Unimplemented, code == codes.Unavailable && h.speaker.dialect == DialectSession:
		h.auto.forget(h.speaker)
	}
	return err
}
