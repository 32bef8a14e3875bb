package gateway

import (
	"context"
	"net/netip"
	"time"
)

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

// AuthObserver is met by transports that want to know when their device was refused by the upstream.
type AuthObserver interface {
	// AuthFailed is called after each refused authentication. It must not block.
	AuthFailed()
}

// MessageTransport is met by transports that carry each Send as one message, whose size is limited.
type MessageTransport interface {
	// CheckSend refuses a Send of n bytes where one message does not hold them, and counts it. The connection stays.
	CheckSend(n int) Result
}

// Transport is the socket of one device as a [Conn] sees it; runtime/listener implements it for each kind of socket. The
// listener reads, the Conn writes and closes.
type Transport interface {
	// Info says who is at the other end. It is called when the connection is made, and again where it is not taken.
	Info() ConnInfo

	// TryWrite writes what the socket takes without waiting, and returns how much that was. A transport that cannot know returns 0, nil.
	TryWrite(b []byte) (int, error)

	// Write writes all of b and waits for it, at most until the write deadline.
	Write(b []byte) (int, error)
	SetWriteDeadline(t time.Time) error

	// CloseWrite tells the peer that nothing more will come, and lets the listener discard what the peer still sends for at most linger,
	// so that the last bytes are not lost to a reset. After it the listener closes the transport.
	CloseWrite(linger time.Duration) error

	// Close frees the socket at once and wakes the goroutine that reads it. Calling it again does nothing.
	Close() error

	// Abort is Close that also throws away what the kernel has not sent yet.
	Abort() error
}

// Device is who asks for a session at an upstream, and where it comes from.
type Device struct {
	ClientInfo
	Peer     netip.AddrPort // where it is connected from; zero for a client of the gateway's own
	Listener string         // the listener it is connected to; empty for a client of the gateway's own
	Module   string         // [ListenerConfig].Module of that listener
}

// Connector reaches one MQTT upstream.
type Connector interface {
	// Connect authenticates the device at the upstream and opens its session. It blocks until the upstream answered or ctx ends. A refusal
	// is a [*ResultError] (bad credentials: [CodePermissionDeny]); any other error means that the upstream could not be asked.
	// down gets what comes from the upstream, until Session.Close has returned.
	Connect(ctx context.Context, device Device, password string, down Downlink) (Session, error)

	// Close ends the sessions that are left and frees the connector. The gateway calls it once.
	Close(ctx context.Context) error
}

// Session is one client's session at the upstream. Its methods never block and are safe for concurrent use.
//
// done is called exactly once for each call, on any goroutine and even before the method returns, and must not block: with [OK], with a refusal's
// code, or with [CodeConnProcessNotAlive] when the session ends first. Publishes of one session reach the upstream in order. The
// payload is valid during the call only.
//
// When QoS is 0, Publish is done once the message is in the upstream's bounded write buffer; for QoS 1 after PUBACK, for QoS 2 after
// PUBCOMP; Subscribe after SUBACK, Unsubscribe after UNSUBACK. done may come late: the
// connection counts what is outstanding and stops reading its socket.
type Session interface {
	Publish(topic string, qos byte, payload []byte, done Done)
	Subscribe(filter string, qos byte, done Done)
	Unsubscribe(filter string, done Done)

	// Close ends the session at the upstream and returns without waiting for the network. Every done that is owed has been called, or
	// is called soon after.
	Close()
}

// Downlink takes what an upstream session has for its device. [*Conn] is one.
type Downlink interface {
	// Deliver queues m for the handler and never blocks. It takes over m and its payload. Where the queue is full it drops a QoS 0
	// message, counts it and reports false; for a message of higher QoS it closes the device.
	Deliver(m Message) bool

	// SessionLost says that the upstream ended the session for good (another client took the client id: [ReasonDiscarded]).
	SessionLost(reason CloseReason)
}

// SocketType is the kind of socket a device uses. The values are ExProto's.
type SocketType uint8

// The socket types of ExProto.
const (
	SocketTCP SocketType = iota
	SocketSSL
	SocketUDP
	SocketDTLS
)

// TimerType names a timer of a connection. The values are ExProto's.
type TimerType uint8

// TimerKeepalive is the only timer type that ExProto has.
const TimerKeepalive TimerType = 0

// CertificateInfo is the subject of a device's certificate.
type CertificateInfo struct {
	CommonName        string
	DistinguishedName string // RFC 4514
}

// ConnInfo describes a connection to its handler.
type ConnInfo struct {
	SocketType SocketType
	Peer       netip.AddrPort
	Local      netip.AddrPort
	PeerCert   *CertificateInfo // nil without TLS, or where the device sent none
}

// ClientInfo is what a handler learned of a device. Only ClientID is required.
type ClientInfo struct {
	ProtoName    string
	ProtoVersion string
	ClientID     string
	Username     string
	Mountpoint   string
}

// Message is a message from the upstream.
type Message struct {
	Node      string // the gateway's node name
	ID        string // unique
	QoS       byte   // as it was delivered: at most the subscription's
	From      string // client id of the publisher; empty where the upstream does not tell (MQTT does not)
	Topic     string
	Payload   []byte
	Timestamp time.Time // when the gateway received it
}
