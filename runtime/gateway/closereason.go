package gateway

import (
	"errors"
	"fmt"
)

// CloseReason says why a connection ended. Code is for programs and never changes its meaning. Name is what
// OnSocketClosed passes on, EMQX's word if there is one, and labels metrics. Detail is for the log.
type CloseReason struct {
	Code   uint16
	Name   string
	Detail string
}

// The reasons. 1xx the device or its network ended it, 2xx the handler, 3xx a timeout, 4xx a limit, 5xx the handler
// failed, 6xx the upstream, 7xx the operator.
var (
	ReasonTCPClosed  = CloseReason{Code: 100, Name: "tcp_closed"}
	ReasonSSLClosed  = CloseReason{Code: 101, Name: "ssl_closed"}
	ReasonSocketFail = CloseReason{Code: 102, Name: "socket_error"}
	ReasonConnReset  = CloseReason{Code: 103, Name: "econnreset"}
	ReasonTimedOut   = CloseReason{Code: 104, Name: "etimedout"}
	ReasonBrokenPipe = CloseReason{Code: 105, Name: "epipe"}
	// what the device sent violates the protocol below its handler, such as WebSocket
	ReasonProtocolError = CloseReason{Code: 106, Name: "protocol_error"}

	ReasonNormal = CloseReason{Code: 200, Name: "normal"}

	ReasonIdleTimeout      = CloseReason{Code: 300, Name: "idle_timeout"}
	ReasonKeepaliveTimeout = CloseReason{Code: 301, Name: "keepalive_timeout"}
	ReasonSendTimeout      = CloseReason{Code: 302, Name: "send_timeout"}
	ReasonAuthTimeout      = CloseReason{Code: 303, Name: "auth_timeout"}
	ReasonAuthExpired      = CloseReason{Code: 304, Name: "auth_expired"} // the credentials have expired
	ReasonPingTimeout      = CloseReason{Code: 305, Name: "ping_timeout"} // the device did not answer pings

	ReasonSendQueueFull    = CloseReason{Code: 400, Name: "send_queue_full"}
	ReasonMessageQueueFull = CloseReason{Code: 401, Name: "message_queue_full"}
	// all queues together are too long, and its queue is the longest
	ReasonQueueBudget = CloseReason{Code: 402, Name: "queue_budget"}
	// the device had sent nothing, and another connection needed the file descriptor
	ReasonNoDescriptors = CloseReason{Code: 403, Name: "no_descriptors"}
	// the device sent a message that is longer than its listener allows
	ReasonMessageTooLarge = CloseReason{Code: 404, Name: "message_too_large"}

	ReasonHandlerFailed      = CloseReason{Code: 500, Name: "handler_failed"}
	ReasonHandlerUnavailable = CloseReason{Code: 501, Name: "handler_unavailable"}
	ReasonHandlerTimeout     = CloseReason{Code: 502, Name: "handler_timeout"}
	// events of the connection made the handler end its stream again and again
	ReasonHandlerStreamEnded = CloseReason{Code: 503, Name: "handler_stream_ended"}
	ReasonGuestTrap          = CloseReason{Code: 510, Name: "guest_trap"}
	ReasonGuestOutOfFuel     = CloseReason{Code: 511, Name: "guest_out_of_fuel"}
	ReasonGuestExit          = CloseReason{Code: 512, Name: "guest_exit"}
	ReasonGuestMemory        = CloseReason{Code: 513, Name: "guest_memory"}
	ReasonGuestCalls         = CloseReason{Code: 514, Name: "guest_host_calls"}
	ReasonGuestTime          = CloseReason{Code: 515, Name: "guest_wall_time"}
	ReasonGuestBadAction     = CloseReason{Code: 516, Name: "guest_bad_action"}
	// another connection's event ended the shared instance
	ReasonGuestShardLost = CloseReason{Code: 517, Name: "guest_shard_lost"}
	// ReasonGuestFailed: the guest failed at an event, such as by an error of a script, and goes on with the others.
	ReasonGuestFailed = CloseReason{Code: 518, Name: "guest_failed"}

	ReasonDiscarded    = CloseReason{Code: 600, Name: "discarded"} // the client id was taken by a newer connection
	ReasonUpstreamLost = CloseReason{Code: 601, Name: "upstream_lost"}

	// ReasonUpstreamRefused: the broker repeatedly ended connections because of what the device sent.
	ReasonUpstreamRefused = CloseReason{Code: 602, Name: "upstream_refused"}

	ReasonKicked          = CloseReason{Code: 700, Name: "kicked"}
	ReasonListenerRemoved = CloseReason{Code: 701, Name: "listener_removed"}
	ReasonShutdown        = CloseReason{Code: 702, Name: "shutdown"}
	// a newer version of the handler took over, and the time to drain is up
	ReasonModuleDrained = CloseReason{Code: 703, Name: "module_drained"}
)

// With returns the reason with a detail for the log.
func (r CloseReason) With(format string, args ...any) CloseReason {
	r.Detail = fmt.Sprintf(format, args...)
	return r
}

// Is reports whether r and other are the same reason, whatever their details.
func (r CloseReason) Is(other CloseReason) bool { return r.Code == other.Code }

func (r CloseReason) String() string {
	if r.Detail == "" {
		return r.Name
	}
	return r.Name + ": " + r.Detail
}

// HandlerError is an error of a handler that names the reason to close with.
type HandlerError struct {
	Reason CloseReason
	Err    error
}

func (e *HandlerError) Error() string { return e.Reason.Name + ": " + e.Err.Error() }
func (e *HandlerError) Unwrap() error { return e.Err }

// ReasonOf returns the close reason for a handler's error.
func ReasonOf(err error) CloseReason {
	var h *HandlerError
	if errors.As(err, &h) {
		return h.Reason.With("%v", h.Err)
	}
	return ReasonHandlerFailed.With("%v", err)
}
