package handler

import (
	"github.com/exgate/exgate/proto/exproto"
)

// Handler handles the events of one connection. It may keep the arguments.
type Handler interface {
	// OnSocketCreated is the first callback.
	OnSocketCreated(c *Conn)
	// OnReceivedBytes delivers bytes from the device: for TCP and TLS any part of the stream, for UDP and DTLS one
	// datagram.
	OnReceivedBytes(c *Conn, b []byte)
	// OnTimerTimeout is called when nothing has been received for the time passed to StartTimer. The gateway closes the
	// connection afterwards.
	OnTimerTimeout(c *Conn)
	// OnReceivedMessages delivers one or more messages for the connection's subscriptions.
	OnReceivedMessages(c *Conn, messages []*Message)
	// OnSocketClosed is the last callback. reason is one word such as tcp_closed, normal or keepalive_timeout, or
	// [ReasonStreamLost].
	OnSocketClosed(c *Conn, reason string)
}

// ReasonStreamLost is the reason in OnSocketClosed if the stream from the gateway has ended. If the gateway holds its
// devices' connections (its setting on_failure), they return, each with a new handler and [Conn.Resumed].
const ReasonStreamLost = "handler_stream_lost"

// Drainer is implemented by handlers that want to know when the gateway stops. Only the dialect session reports that.
type Drainer interface {
	OnDrain(c *Conn)
}

// AlarmHandler is implemented by handlers that call [Conn.SetTimer].
type AlarmHandler interface {
	OnAlarm(c *Conn, id uint32)
}

// Nothing is a Handler that does nothing. Embed it to implement only some callbacks.
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

// ConnInfo describes a connection.
type ConnInfo = exproto.ConnInfo

// ClientInfo is what a device said about itself. Only Clientid is required.
type ClientInfo = exproto.ClientInfo

// Code is the result of a call.
type Code = exproto.ResultCode

// The codes.
const (
	CodeUnknown         = exproto.ResultCode_UNKNOWN
	CodeNotAlive        = exproto.ResultCode_CONN_PROCESS_NOT_ALIVE
	CodeParamsMissed    = exproto.ResultCode_REQUIRED_PARAMS_MISSED
	CodeParamsTypeError = exproto.ResultCode_PARAMS_TYPE_ERROR
	CodePermissionDeny  = exproto.ResultCode_PERMISSION_DENY
)

// Error is a refusal by the gateway or the broker.
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
