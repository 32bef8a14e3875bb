package remote

import (
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
)

// unaryCallbacks are the methods of a handler's service in the unary form.
type unaryCallbacks struct {
	created, bytes, timer, messages, closed *callback
}

// newUnary returns what makes handlers that call the named service.
func newUnary(c *Client, service string) func(gateway.ConnectionAdapter) gateway.ConnectionHandler {
	calls := &unaryCallbacks{
		created:  newCallback(c, service, "OnSocketCreated"),
		bytes:    newCallback(c, service, "OnReceivedBytes"),
		timer:    newCallback(c, service, "OnTimerTimeout"),
		messages: newCallback(c, service, "OnReceivedMessages"),
		closed:   newCallback(c, service, "OnSocketClosed"),
	}
	return func(conn gateway.ConnectionAdapter) gateway.ConnectionHandler {
		return &unaryHandler{delivery: newDelivery(c), conn: conn, id: conn.ID(), conns: c.conns, maxBatch: c.maxBatch, calls: calls}
	}
}

// unaryHandler makes one RPC of each event and waits for its answer, so that the events of a connection keep their order.
type unaryHandler struct {
	delivery
	conn     gateway.ConnectionAdapter
	id       string
	conns    *registry
	maxBatch int
	calls    *unaryCallbacks
}

func (h *unaryHandler) OnSocketCreated(info gateway.ConnInfo) error {
	h.conns.add(h.id, h.conn)
	return h.deliver(h.calls.created, &exproto.SocketCreatedRequest{Conn: h.id, Conninfo: connInfo(info)})
}

func (h *unaryHandler) OnReceivedBytes(b []byte) error {
	return h.deliver(h.calls.bytes, &exproto.ReceivedBytesRequest{Conn: h.id, Bytes: b})
}

func (h *unaryHandler) OnTimerTimeout(t gateway.TimerType) error {
	return h.deliver(h.calls.timer, &exproto.TimerTimeoutRequest{Conn: h.id, Type: exproto.TimerType(t)})
}

func (h *unaryHandler) OnReceivedMessages(messages []gateway.Message) error {
	for batch := range batches(messages, h.maxBatch, maxBatchBytes) {
		if err := h.deliver(h.calls.messages, &exproto.ReceivedMessagesRequest{Conn: h.id, Messages: batch}); err != nil {
			return err
		}
	}
	return nil
}

func (h *unaryHandler) OnSocketClosed(reason gateway.CloseReason) error {
	defer h.conns.remove(h.id)
	return h.deliverLast(h.calls.closed, &exproto.SocketClosedRequest{Conn: h.id, Reason: reason.Name})
}
