package remote

import (
	"cmp"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/callback"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
	"github.com/exgate/exgate/runtime/remote/internal/probe"
	"github.com/exgate/exgate/runtime/remote/target"
)

// autoHandler handles a connection that may have come before the dialect was known.
type autoHandler struct {
	callback.Delivery
	auto  *auto
	known *knownDialect
	inner gateway.ConnectionHandler // nil until the dialect is known
}

var _ gateway.Drainer = (*autoHandler)(nil)

// errNoDialect closes a connection if the dialect is still unknown after its wait.
var errNoDialect error = &gateway.HandlerError{
	Reason: gateway.ReasonHandlerUnavailable, Err: errors.New("the handler's dialect is not known"),
}

func (a *auto) newHandler(conn gateway.ConnectionAdapter) gateway.ConnectionHandler {
	return &autoHandler{Delivery: callback.NewDelivery(a.caller, conn), auto: a}
}

func (h *autoHandler) OnSocketCreated(info gateway.ConnInfo) error {
	if h.known = h.auto.current(); h.known == nil {
		err := h.Deliver(h.auto, nil)
		h.Pin.Release()
		if err != nil {
			return err
		}
		if h.known = h.auto.current(); h.known == nil {
			return h.createUnknown(info)
		}
	}
	h.inner = h.known.newHandler(h.Conn)
	err := h.inner.OnSocketCreated(info)
	if target.CodeOf(err) == codes.NotFound {
		h.auto.forget(h.known)
	}
	return h.check(err)
}

// createUnknown finds out the dialect with OnSocketCreated.
func (h *autoHandler) createUnknown(info gateway.ConnInfo) error {
	first := &firstEvent{auto: h.auto, conn: h.Conn}
	handler := callback.NewHandler(h.auto.caller, h.Conn, &callback.Methods{Created: first})
	h.inner = handler
	err := handler.OnSocketCreated(info)
	if first.calls == nil { // the handler does not know the connection
		h.inner = nil
		handler.Forget()
		return cmp.Or(err, errNoDialect)
	}
	handler.Methods, h.known = first.calls, first.known
	return h.check(err)
}

func (h *autoHandler) OnReceivedBytes(b []byte) error { return h.check(h.inner.OnReceivedBytes(b)) }

func (h *autoHandler) OnTimerTimeout(t gateway.TimerType) error {
	return h.check(h.inner.OnTimerTimeout(t))
}

func (h *autoHandler) OnReceivedMessages(messages []gateway.Message) error {
	return h.check(h.inner.OnReceivedMessages(messages))
}

// OnAlarm is forwarded in dialects that have it.
func (h *autoHandler) OnAlarm(id uint32) error {
	if a, ok := h.inner.(gateway.AlarmHandler); ok {
		return h.check(a.OnAlarm(id))
	}
	return nil
}

// KeepsState is forwarded in dialects that have it.
func (h *autoHandler) KeepsState() bool {
	k, ok := h.inner.(gateway.StateKeeper)
	return ok && k.KeepsState()
}

// OnDrain is forwarded in dialects that have it.
func (h *autoHandler) OnDrain() error {
	if d, ok := h.inner.(gateway.Drainer); ok {
		return h.check(d.OnDrain())
	}
	return nil
}

// OnSocketClosed tells the handler, if any handler can know the connection.
func (h *autoHandler) OnSocketClosed(reason gateway.CloseReason) error {
	if h.inner == nil {
		h.Pin.Release()
		return nil
	}
	return h.check(h.inner.OnSocketClosed(reason))
}

// check forgets the dialect if the handler does not know the call. A session may also have been ended by a handler of
// another dialect.
func (h *autoHandler) check(err error) error {
	switch code := target.CodeOf(err); {
	case h.known == nil:
	case code == codes.Unimplemented, code == codes.Unavailable && h.known.dialect == DialectSession:
		h.auto.forget(h.known)
	}
	return err
}

// firstEvent is OnSocketCreated of a connection whose handler's dialect is unknown: the service that accepts it is the
// handler's. It is sent to ConnectionUnaryHandler and, if the handler lacks that method or answers with an error, to
// ConnectionHandler on a stream that ends after it, which suits unary methods too. No handler receives a call that EMQX
// would not make. It implements [callback.Invoker] for one connection at a time.
type firstEvent struct {
	auto  *auto
	conn  gateway.ConnectionAdapter
	calls *callback.Methods // of the dialect found; nil if none was
	known *knownDialect
}

// triedDialects are tried in this order.
var triedDialects = []Dialect{DialectUnary, DialectStream}

func (f *firstEvent) Invoke(to *backend.Backend, request proto.Message) error {
	if f.known = f.auto.awaitFirst(); f.known != nil { // the event of another connection has found it
		return f.deliver(to, f.known.dialect, request)
	}
	defer f.auto.firstDone()
	said := ""
	var doubtful error // from the unary method: it failed, or the server answers so for methods that it lacks
	var unary *callback.Methods
	for _, d := range triedDialects {
		err := f.deliver(to, d, request)
		var none *callback.AbsentError
		var refused *callback.Refusal
		switch {
		case errors.As(err, &none):
			said += fmt.Sprintf("; to %s it answers %v: %s", d, status.Code(none.Err),
				convert.Shorten(status.Convert(none.Err).Message()))
			f.leave()
			continue
		case errors.As(err, &refused), target.Unsent(err), err != nil && target.Unreachable(err):
			f.leave()
			return err
		case d == DialectUnary && err != nil && target.CodeOf(err) != codes.DeadlineExceeded:
			doubtful, unary = err, f.calls
			continue
		case err != nil && doubtful != nil: // both fail: the next first event decides
			f.leave()
			f.calls = unary
			return doubtful
		}
		f.known = f.auto.foundBy(d)
		return err
	}
	if doubtful != nil { // the handler has no other method
		f.calls, f.known = unary, f.auto.foundBy(DialectUnary)
		return doubtful
	}
	f.auto.allowProbes()
	absent := status.Error(codes.Unimplemented, (&probe.NotServedError{}).Error()+said)
	return f.auto.target.Failed(to, "detecting the dialect", absent, true)
}

// deliver delivers the event in dialect d.
func (f *firstEvent) deliver(to *backend.Backend, d Dialect, request proto.Message) error {
	construct, err := f.auto.lockedNewHandlerFor(d)
	if err != nil {
		return err
	}
	h, ok := construct(f.conn).(*callback.Handler)
	if !ok { // a session, for which the connection is too early
		return f.auto.target.Failed(to, "detecting the dialect",
			status.Error(codes.Unavailable, "the handler has changed its dialect"), true)
	}
	f.calls = h.Methods
	return h.Methods.Created.Invoke(to, request)
}

// leave forgets a dialect that was tried.
func (f *firstEvent) leave() {
	f.calls.Release()
	f.calls = nil
}
