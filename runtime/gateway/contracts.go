package gateway

import "context"

// HandlerFactory makes the handlers of one configured protocol: runtime/remote.Client and runtime/wasm.Engine are factories.
type HandlerFactory interface {
	// NewHandler returns the handler of a new connection. It must not call the adapter, must return at once, and holds nothing that has to be
	// freed: a connection that is refused after it gets no event at all. An error refuses the connection with [ReasonHandlerUnavailable], or with the reason that the error carries (see [HandlerError]).
	NewHandler(conn ConnectionAdapter) (ConnectionHandler, error)

	// Close frees what the factory holds. The gateway calls it once, after the last connection of the factory has seen OnSocketClosed.
	Close(ctx context.Context) error
}

// ConnectionHandler is the protocol side of one connection, in ExProto's words. The gateway calls the methods one at a time, OnSocketCreated
// first and OnSocketClosed last. Arguments are valid during the call only. Calls may block (a remote handler is an RPC away): only this
// connection waits, and its socket is not read meanwhile.
//
// An error means that the handler failed, not the device: the connection is closed with the reason of a [HandlerError], any other error
// with [ReasonHandlerFailed].
type ConnectionHandler interface {
	OnSocketCreated(info ConnInfo) error
	OnReceivedBytes(b []byte) error
	OnTimerTimeout(t TimerType) error
	OnReceivedMessages(messages []Message) error
	// OnSocketClosed is called even where an earlier event failed. Nothing is called after it.
	OnSocketClosed(reason CloseReason) error
}

// Drainer is met by handlers that want to know that the gateway stops or that a newer version of their factory took over.
// OnDrain is an event like any other and comes at most once.
type Drainer interface {
	OnDrain() error
}

// ConnectionAdapter is what a handler may do with its connection. Every method is safe for concurrent use, never waits for an event to
// finish, and may be called inside one. After the connection closed each returns [CodeConnProcessNotAlive].
//
// Authenticate, Publish, Subscribe and Unsubscribe wait for the broker. Where they return [OK], the call was accepted and done is called
// exactly once, on another goroutine, never before the method has returned; a nil done asks for no result. Any other Result refuses the
// call at once, and done is never called. done must not block.
type ConnectionAdapter interface {
	// ID is the connection's name in ExProto's conn field: unguessable, unique among all gateways. It ends in '@' and the name of the
	// gateway's node (see [NodeOf]); handlers treat it as opaque.
	ID() string

	// Send queues a copy of b for the device. It needs no authentication. Over the queue's limit the connection is closed with
	// [ReasonSendQueueFull].
	Send(b []byte) Result

	// Close ends the connection: what Send queued goes out, OnSocketClosed follows. Handlers pass [ReasonNormal]. Only the first reason counts.
	Close(reason CloseReason) Result

	// Authenticate opens the upstream session. A second call while one is under way or after it succeeded is [CodePermissionDeny].
	Authenticate(client ClientInfo, password string, done Done) Result

	// StartTimer sets or replaces the timer of type t, in whole seconds. [TimerKeepalive] fires when nothing was received for that long.
	// 0 seconds is [CodeParamsTypeError].
	StartTimer(t TimerType, seconds uint32) Result

	// Publish copies topic and payload before it returns. qos above 2 or a topic with wildcards is [CodeParamsTypeError]; before
	// authentication it is [CodePermissionDeny]; more than the allowed number of calls under way is [CodeLimit].
	Publish(topic string, qos uint32, payload []byte, done Done) Result
	Subscribe(filter string, qos uint32, done Done) Result
	Unsubscribe(filter string, done Done) Result

	// Pause stops the reading of the socket until Resume. Bytes stay in the kernel.
	Pause()
	Resume() Result

	// Post runs event as one of the connection's events: in order, one at a time, never after OnSocketClosed. An error of event is
	// treated as that of a handler's method. It reports false where the connection is closed already and event will not run.
	Post(event func() error) bool
}
