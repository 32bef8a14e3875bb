package gateway

import (
	"context"
	"net/netip"
	"time"
)

// HandlerFactory makes the handlers of one configured protocol: runtime/remote.Client and runtime/wasm.Engine are
// factories.
type HandlerFactory interface {
	// NewHandler returns the handler for a new connection. It must return at once, must not call the adapter, and must
	// not hold anything that needs to be freed: a connection that is refused afterwards gets no event. An error
	// refuses the connection with [ReasonHandlerUnavailable], or with the reason that the error carries (see
	// [HandlerError]).
	NewHandler(conn ConnectionAdapter) (ConnectionHandler, error)

	// Close frees the factory's resources. The gateway calls it once, after the last connection of the factory has seen
	// OnSocketClosed.
	Close(ctx context.Context) error
}

// WaitingFactory is implemented by factories whose handlers wait for another process (a remote handler is an RPC away).
type WaitingFactory interface {
	HandlerFactory
	// HandlersWait marks the factory and is never called.
	HandlersWait()
}

// ConnectionHandler is the protocol side of one connection, in ExProto's words. The gateway calls the methods one at a
// time, OnSocketCreated first and OnSocketClosed last. Arguments are valid during the call only. Calls may block (a
// remote handler is an RPC away): only this connection waits, and its socket is not read meanwhile.
//
// An error means that the handler failed, not the device: the connection is closed with the reason of a [HandlerError],
// any other error with [ReasonHandlerFailed].
type ConnectionHandler interface {
	OnSocketCreated(info ConnInfo) error
	OnReceivedBytes(b []byte) error
	OnTimerTimeout(t TimerType) error
	OnReceivedMessages(messages []Message) error
	// OnSocketClosed is called even if an earlier event failed. It is the last call.
	OnSocketClosed(reason CloseReason) error
}

// Drainer is implemented by handlers that need to know when the gateway stops or when a newer version of their factory
// takes over. OnDrain is an event like any other and is delivered at most once.
type Drainer interface {
	OnDrain() error
}

// AlarmHandler is implemented by handlers that call SetTimer.
type AlarmHandler interface {
	// OnAlarm is called when the timer id has fired. The connection stays open.
	OnAlarm(id uint32) error
}

// ConnectionAdapter holds the calls that a handler may make on its connection. Every method is safe for concurrent use,
// never waits for an event to finish, and may be called inside one. Once the connection has closed, each returns
// [CodeConnProcessNotAlive].
//
// Authenticate, Publish, Subscribe and Unsubscribe wait for the broker, SaveState for its store. If they return [OK],
// the call was accepted and done is called exactly once, on another goroutine and never before the method has returned;
// done may be nil. Any other Result refuses the call at once, and done is never called. done must not block.
type ConnectionAdapter interface {
	// ID is the connection's name in ExProto's conn field: unguessable, unique among all gateways. It ends in '@' and
	// the name of the gateway's node (see [NodeOf]); handlers treat it as opaque.
	ID() string

	// Send queues a copy of b for the device. It needs no authentication. If the queue is full, the connection is
	// closed with [ReasonSendQueueFull].
	Send(b []byte) Result

	// Close ends the connection: what Send queued goes out, OnSocketClosed follows. Handlers pass [ReasonNormal]. Only
	// the first reason counts.
	Close(reason CloseReason) Result

	// Authenticate opens the upstream session. A second call while one is in progress or after it succeeded is
	// [CodePermissionDeny].
	Authenticate(client ClientInfo, password string, done Done) Result

	// StartTimer sets or replaces the timer of type t, in whole seconds. [TimerKeepalive] fires when nothing was
	// received for that long. 0 seconds is [CodeParamsTypeError].
	StartTimer(t TimerType, seconds uint32) Result

	// SetTimer sets or replaces the one-shot timer id, below [MaxTimers]: once after ms milliseconds, at least
	// [MinTimerMillis], OnAlarm is called. Negative ms cancels the timer; its OnAlarm is then not called, even if the
	// timer has already fired. Other values are [CodeParamsTypeError].
	SetTimer(id uint32, ms int32) Result

	// State returns the state that the device saved last, or nil if there is none. A handler that is a [StateKeeper]
	// may call it from the done of an Authenticate that succeeded. The caller must not modify the result.
	State() []byte

	// SaveState replaces the state of the device and module; an empty value deletes it. done is called once the value,
	// or one that was saved after it, is durable: values saved within half a second replace each other. Before
	// authentication it is [CodePermissionDeny], without a [StateStore] [CodeUnsupported]; a value that is too large is
	// [CodeLimit].
	SaveState(value []byte, done Done) Result

	// Publish copies topic and payload before it returns. qos above 2 or a topic with wildcards is
	// [CodeParamsTypeError]; before authentication it is [CodePermissionDeny]; more than the allowed number of calls
	// in flight is [CodeLimit].
	Publish(topic string, qos uint32, payload []byte, done Done) Result

	// PublishWith is Publish with properties, which it copies; nil: none. Invalid text and a response topic that has
	// wildcards or begins with '$' are [CodeParamsTypeError], a response topic that the device may not subscribe to is
	// [CodePermissionDeny], more than [MaxUserProperties] or [MaxPropertyBytes] are [CodeLimit], and Retain is
	// [CodeUnsupported] if the broker keeps no messages.
	PublishWith(topic string, qos uint32, payload []byte, props *Properties, done Done) Result

	Subscribe(filter string, qos uint32, done Done) Result
	Unsubscribe(filter string, done Done) Result

	// Pause stops reading the socket until Resume. Bytes stay in the kernel.
	Pause()
	Resume() Result

	// Hold declares that the current event waits for its handler. Until release is called, the socket is not read, so
	// that the device's silence does not count against it, and the connection ends once the next read would find that
	// the device has gone. interrupt is called at most once, on any goroutine, when the connection begins to close; it
	// must not block. Hold returns nil if the connection is already closing or the gateway is stopping: the event must
	// then not wait. Only the goroutine that runs the event may call Hold, and not again before release.
	Hold(interrupt func()) (release func())

	// Post runs event as one of the connection's events: in order, one at a time, never after OnSocketClosed. An error
	// of event is treated as that of a handler's method. It reports false if the connection has already closed; event
	// will then not run.
	Post(event func() error) bool
}

// AuthObserver is implemented by transports that need to know when the upstream refuses their device.
type AuthObserver interface {
	// AuthFailed is called after each refused authentication. It must not block.
	AuthFailed()
}

// MessageTransport is implemented by transports that carry each Send as one message of limited size.
type MessageTransport interface {
	// CheckSend refuses, and counts, a Send of n bytes that do not fit into one message. The connection stays open.
	CheckSend(n int) Result
}

// FramedTransport is implemented by transports that send each Send as one frame of a byte stream, such as WebSocket.
// What it returns is written like the bytes of any stream.
type FramedTransport interface {
	// Frame returns b as a frame. It must not keep b.
	Frame(b []byte) []byte

	// LastFrame returns what the device receives last when the connection is closed for reason; it may be empty.
	LastFrame(reason CloseReason) []byte
}

// Transport is the socket of one device as a [Conn] sees it; runtime/listener implements it for each kind of socket.
// The listener reads, the Conn writes and closes.
type Transport interface {
	// Info describes the peer. It is called when the connection is made, and again if the connection is refused.
	Info() ConnInfo

	// TryWrite writes what the socket accepts without blocking, and returns the number of bytes. A transport that
	// cannot tell returns 0, nil.
	TryWrite(b []byte) (int, error)

	// Write writes all of b. It blocks until then, at most until the write deadline.
	Write(b []byte) (int, error)
	SetWriteDeadline(t time.Time) error

	// CloseWrite tells the peer that no more bytes will come, and has the listener discard what the peer still sends
	// for at most linger, so that the last bytes are not lost to a reset. The listener then closes the transport.
	CloseWrite(linger time.Duration) error

	// Close frees the socket at once and wakes the goroutine that reads it. Calling it again does nothing.
	Close() error

	// Abort is like Close, and also discards what the kernel has not sent yet.
	Abort() error
}

// Device identifies a client that needs a session at an upstream, and where it is connected.
type Device struct {
	ClientInfo
	Peer     netip.AddrPort // the device's address; zero for the gateway's own clients
	Listener string         // the listener it is connected to; empty for the gateway's own clients
	Module   string         // [ListenerConfig].Module of that listener
}

// WorkerTransport is implemented by transports of many connections that share a few goroutines.
type WorkerTransport interface {
	// BeginWait is called on such a goroutine before events of a [WaitingFactory]'s handler, and EndWait after them:
	// the goroutine may wait meanwhile, and another one should serve the other connections.
	BeginWait()
	EndWait()
}

// Connector reaches one MQTT upstream.
type Connector interface {
	// Connect authenticates the device at the upstream and opens its session. It blocks until the upstream has answered
	// or ctx ends. A refusal is a [*ResultError] (bad credentials: [CodePermissionDeny]); any other error means that
	// the upstream could not be reached. down receives what the upstream sends until Session.Close has returned.
	Connect(ctx context.Context, device Device, password string, down Downlink) (Session, error)

	// Close ends the remaining sessions and frees the connector. The gateway calls it once.
	Close(ctx context.Context) error
}

// Session is one client's session at the upstream. Its methods never block and are safe for concurrent use.
//
// done is called exactly once for each call, on any goroutine and even before the method returns, and must not block:
// with [OK], with a refusal's code, or with [CodeConnProcessNotAlive] when the session ends first. Publishes of one
// session reach the upstream in order. The payload and the properties are valid during the call only.
//
// When QoS is 0, Publish is done once the message is in the upstream's bounded write buffer; for QoS 1 after PUBACK,
// for QoS 2 after PUBCOMP; Subscribe after SUBACK, Unsubscribe after UNSUBACK. done may come late: the connection
// counts outstanding calls and stops reading its socket.
type Session interface {
	Publish(topic string, qos byte, payload []byte, props *Properties, done Done) // props may be nil
	Subscribe(filter string, qos byte, done Done)
	Unsubscribe(filter string, done Done)

	// Close ends the session at the upstream and returns without waiting for the network. Every outstanding done has
	// been called by then, or is called soon after.
	Close()
}

// Downlink receives what an upstream session has for its device. [*Conn] implements it.
type Downlink interface {
	// Deliver queues m for the handler and never blocks. It takes ownership of m and its payload. If the queue is full,
	// it drops and counts a QoS 0 message, and closes the connection for a message of higher QoS. It reports whether m
	// was queued.
	Deliver(m Message) bool

	// SessionLost reports that the upstream has ended the session for good (another client took the client id:
	// [ReasonDiscarded]).
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
	PeerCert   *CertificateInfo // nil without TLS, or if the device sent none

	// Properties has what else the listener knows of the connection, such as the path of a WebSocket. ExProto has no
	// field for it: modules and handlers of the dialect session receive it. Optional.
	Properties []Property
}

// Property is a named value of a connection. Both are UTF-8.
type Property struct{ Name, Value string }

// PropertyPassword is the name of the property that holds a password, which is never logged or captured.
const PropertyPassword = "password"

// ClientInfo is what a handler has learned about a device. Only ClientID is required.
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
	QoS       byte   // as delivered: at most the subscription's
	From      string // client id of the publisher; empty if the upstream does not report it (MQTT does not)
	Topic     string
	Payload   []byte
	Timestamp time.Time // when the gateway received it

	Properties *Properties // nil if it has none
}

// NullAdapter is a [ConnectionAdapter] without a device: it accepts each call and does nothing, and never calls done.
// Types that implement some of the methods embed it.
type NullAdapter struct{}

var _ ConnectionAdapter = NullAdapter{}

// ID returns "".
func (NullAdapter) ID() string { return "" }

// Send returns OK.
func (NullAdapter) Send([]byte) Result { return OK }

// Close returns OK.
func (NullAdapter) Close(CloseReason) Result { return OK }

// Authenticate returns OK.
func (NullAdapter) Authenticate(ClientInfo, string, Done) Result { return OK }

// StartTimer returns OK.
func (NullAdapter) StartTimer(TimerType, uint32) Result { return OK }

// SetTimer returns OK.
func (NullAdapter) SetTimer(uint32, int32) Result { return OK }

// State returns nil.
func (NullAdapter) State() []byte { return nil }

// SaveState returns OK.
func (NullAdapter) SaveState([]byte, Done) Result { return OK }

// Publish returns OK.
func (NullAdapter) Publish(string, uint32, []byte, Done) Result { return OK }

// PublishWith returns OK.
func (NullAdapter) PublishWith(string, uint32, []byte, *Properties, Done) Result { return OK }

// Subscribe returns OK.
func (NullAdapter) Subscribe(string, uint32, Done) Result { return OK }

// Unsubscribe returns OK.
func (NullAdapter) Unsubscribe(string, Done) Result { return OK }

// Pause does nothing.
func (NullAdapter) Pause() {}

// Resume returns OK.
func (NullAdapter) Resume() Result { return OK }

// Hold lets the event wait; nothing interrupts it.
func (NullAdapter) Hold(func()) (release func()) { return func() {} }

// Post returns false: no event runs.
func (NullAdapter) Post(func() error) bool { return false }
