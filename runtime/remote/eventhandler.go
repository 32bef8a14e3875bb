package remote

import (
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
)

// callbacks are the methods of a handler's service.
type callbacks struct {
	created, bytes, timer, messages, closed invoker
}

// newCallbacks returns the methods of the named service, one RPC an event.
func newCallbacks(c *Client, service string, call calling) *callbacks {
	return &callbacks{
		created:  newCallback(c, service, "OnSocketCreated", call),
		bytes:    newCallback(c, service, "OnReceivedBytes", call),
		timer:    newCallback(c, service, "OnTimerTimeout", call),
		messages: newCallback(c, service, "OnReceivedMessages", call),
		closed:   newCallback(c, service, "OnSocketClosed", call),
	}
}

// newUnary returns what makes handlers that call the named service.
func newUnary(c *Client, service string, call calling) func(gateway.ConnectionAdapter) gateway.ConnectionHandler {
	calls := newCallbacks(c, service, call)
	return func(conn gateway.ConnectionAdapter) gateway.ConnectionHandler { return newEventHandler(c, conn, calls) }
}

// eventHandler makes one invocation of each event and waits for it, so that the events of a connection keep their order.
type eventHandler struct {
	delivery
	id       string
	conns    *registry
	maxBatch int
	calls    *callbacks
}

func newEventHandler(c *Client, conn gateway.ConnectionAdapter, calls *callbacks) *eventHandler {
	return &eventHandler{delivery: newDelivery(c, conn), id: conn.ID(), conns: c.conns, maxBatch: c.maxBatch, calls: calls}
}

func (h *eventHandler) OnSocketCreated(info gateway.ConnInfo) error {
	h.conns.add(h.id, h.conn)
	return h.deliver(h.calls.created, &exproto.SocketCreatedRequest{Conn: h.id, Conninfo: connInfo(info)})
}

func (h *eventHandler) OnReceivedBytes(b []byte) error {
	return h.deliver(h.calls.bytes, &exproto.ReceivedBytesRequest{Conn: h.id, Bytes: b})
}

func (h *eventHandler) OnTimerTimeout(t gateway.TimerType) error {
	return h.deliver(h.calls.timer, &exproto.TimerTimeoutRequest{Conn: h.id, Type: exproto.TimerType(t)})
}

func (h *eventHandler) OnReceivedMessages(messages []gateway.Message) error {
	for batch := range batches(messages, h.maxBatch, maxBatchBytes) {
		if err := h.deliver(h.calls.messages, &exproto.ReceivedMessagesRequest{Conn: h.id, Messages: batch}); err != nil {
			return err
		}
	}
	return nil
}

func (h *eventHandler) OnSocketClosed(reason gateway.CloseReason) error {
	defer h.conns.remove(h.id)
	return h.deliverLast(h.calls.closed, &exproto.SocketClosedRequest{Conn: h.id, Reason: reason.Name})
}
