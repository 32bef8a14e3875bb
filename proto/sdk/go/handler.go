package handler

import (
	"github.com/exgate/exgate/proto/exproto"
)

// Handler is the protocol of one connection. Arguments are the handler's to keep.
type Handler interface {
	// OnSocketCreated comes first.
	OnSocketCreated(c *Conn)
	// OnReceivedBytes carries what the device sent: for TCP and TLS any piece of its stream, for UDP and DTLS one
	// datagram.
	OnReceivedBytes(c *Conn, b []byte)
	// OnTimerTimeout tells that nothing was received for as long as StartTimer said. The gateway closes the connection
	// afterwards.
	OnTimerTimeout(c *Conn)
	// OnReceivedMessages carries messages of the connection's subscriptions, one or more.
	OnReceivedMessages(c *Conn, messages []*Message)
	// OnSocketClosed comes last. reason is one word such as tcp_closed, normal or keepalive_timeout, or
	// [ReasonStreamLost].
	OnSocketClosed(c *Conn, reason string)
}

// ReasonStreamLost is the reason of OnSocketClosed where the gateway cannot be heard any longer. Where the gateway
// holds its devices' connections (its setting on_failure), they come again, each with a new handler and [Conn.Resumed].
const ReasonStreamLost = "handler_stream_lost"

// Drainer is met by handlers that want to know that the gateway stops. Only the dialect session tells.
type Drainer interface {
	OnDrain(c *Conn)
}

// Nothing is a Handler that does nothing, to be embedded by those that do not need every callback.
type Nothing struct{}

var _ Handler = Nothing{}

// OnSocketCreated does nothing.
func (Nothing) OnSocketCreated(*Conn) {}

// OnReceivedBytes does nothing.
func (Nothing) OnReceivedBytes(*Conn, []byte) {}

// OnTimerTimeout does nothing.
func (Nothing) OnTimerTimeout(*Conn) {}

// OnReceivedMessages does nothing.
func (Nothing) OnReceivedMessages(*Conn, []*Message) {}

// OnSocketClosed does nothing.
func (Nothing) OnSocketClosed(*Conn, string) {}

// Message is a message of the broker.
type Message = exproto.Message

// ConnInfo says who is at the other end of a connection.
type ConnInfo = exproto.ConnInfo

// ClientInfo is what a device said it is. Only Clientid is required.
type ClientInfo = exproto.ClientInfo

// Code is the outcome of a call.
type Code = exproto.ResultCode

// The codes.
const (
	CodeUnknown         = exproto.ResultCode_UNKNOWN
	CodeNotAlive        = exproto.ResultCode_CONN_PROCESS_NOT_ALIVE
	CodeParamsMissed    = exproto.ResultCode_REQUIRED_PARAMS_MISSED
	CodeParamsTypeError = exproto.ResultCode_PARAMS_TYPE_ERROR
	CodePermissionDeny  = exproto.ResultCode_PERMISSION_DENY
)

// Error is a call that the gateway or the broker refused.
type Error struct {
	Code    Code // never success
	Message string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code.String()
	}
	return e.Code.String() + ": " + e.Message
}

func resultError(code Code, message string) error {
	if code == exproto.ResultCode_SUCCESS {
		return nil
	}
	return &Error{Code: code, Message: message}
}
