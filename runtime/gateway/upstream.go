package gateway

import (
	"context"
	"net/netip"
)

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
