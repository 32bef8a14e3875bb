package callback

import (
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
)

// Methods are the five methods of a handler's service.
type Methods struct {
	Created, Bytes, Timer, Messages, Closed Invoker
}

// newMethods returns the methods of the named service, with one RPC for each event.
func newMethods(c *Caller, service string, call callFunc) *Methods {
	return &Methods{
		Created:  newServiceMethod(c, service, "OnSocketCreated", call),
		Bytes:    newServiceMethod(c, service, "OnReceivedBytes", call),
		Timer:    newServiceMethod(c, service, "OnTimerTimeout", call),
		Messages: newServiceMethod(c, service, "OnReceivedMessages", call),
		Closed:   newServiceMethod(c, service, "OnSocketClosed", call),
	}
}

// Unary returns a constructor of handlers for ConnectionUnaryHandler.
func (c *Caller) Unary() func(gateway.ConnectionAdapter) gateway.ConnectionHandler {
	return c.unary(exproto.ConnectionUnaryHandler_ServiceDesc.ServiceName, callUnary)
}

// UnaryV42 returns a constructor of handlers for a ConnectionHandler with unary methods.
func (c *Caller) UnaryV42() func(gateway.ConnectionAdapter) gateway.ConnectionHandler {
	return c.unary(exproto.ConnectionHandler_ServiceDesc.ServiceName, callOnce)
}

func (c *Caller) unary(service string, call callFunc) func(gateway.ConnectionAdapter) gateway.ConnectionHandler {
	calls := newMethods(c, service, call)
	return func(conn gateway.ConnectionAdapter) gateway.ConnectionHandler { return NewHandler(c, conn, calls) }
}

// Release frees the state that the methods keep for a connection, as its last event would.
func (m *Methods) Release() {
	if l, ok := m.Closed.(releaser); ok {
		l.release()
	}
}

// Handler makes one call for each event and waits for it, so that the events of a connection stay in order.
type Handler struct {
	Delivery
	id        string
	directory Directory
	maxBatch  int
	Methods   *Methods
}

// NewHandler returns the handler of a connection, with the given methods.
func NewHandler(c *Caller, conn gateway.ConnectionAdapter, calls *Methods) *Handler {
	return &Handler{
		Delivery: NewDelivery(c, conn), id: conn.ID(), directory: c.directory, maxBatch: c.MaxBatch, Methods: calls,
	}
}

// Forget drops a connection that the handler does not know.
func (h *Handler) Forget() {
	h.directory.Remove(h.id)
	h.Pin.Release()
}

func (h *Handler) OnSocketCreated(info gateway.ConnInfo) error {
	h.directory.Add(h.id, h.Conn)
	return h.Deliver(h.Methods.Created, &exproto.SocketCreatedRequest{Conn: h.id, Conninfo: convert.ConnInfo(info)})
}

func (h *Handler) OnReceivedBytes(b []byte) error {
	return h.Deliver(h.Methods.Bytes, &exproto.ReceivedBytesRequest{Conn: h.id, Bytes: b})
}

func (h *Handler) OnTimerTimeout(t gateway.TimerType) error {
	return h.Deliver(h.Methods.Timer, &exproto.TimerTimeoutRequest{Conn: h.id, Type: exproto.TimerType(t)})
}

func (h *Handler) OnReceivedMessages(messages []gateway.Message) error {
	for batch := range convert.Batches(messages, h.maxBatch, convert.MaxBatchBytes) {
		request := &exproto.ReceivedMessagesRequest{Conn: h.id, Messages: batch}
		if err := h.Deliver(h.Methods.Messages, request); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) OnSocketClosed(reason gateway.CloseReason) error {
	defer h.directory.Remove(h.id)
	return h.deliverLast(h.Methods.Closed, &exproto.SocketClosedRequest{Conn: h.id, Reason: reason.Name})
}
