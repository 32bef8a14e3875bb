// Package gateway connects device sockets, protocol handlers and an MQTT upstream.
//
// It holds the [Gateway], one [Conn] for each device, and the contracts that the other packages implement: [Transport]
// (runtime/listener), [HandlerFactory] and [ConnectionHandler] (runtime/remote, runtime/wasm), [ConnectionAdapter]
// (what a handler may do, implemented by [Conn]), [Connector] and [Session] (connectors). Names are those of EMQX's
// ExProto contract, so that the .proto file and the Go code can be searched for the same word.
//
// # Invariants
//
//  1. A connection's events reach its handler one at a time, in order: OnSocketCreated first, OnSocketClosed last, each
//     exactly once.
//  2. Adapter calls never wait for an event to finish: handlers call them inside events.
//  3. Send only queues. A full queue closes the slow peer with [ReasonSendQueueFull].
//  4. An idle connection costs one goroutine and holds no buffer. Bytes are handled on the goroutine that read them.
//     Timers, messages and results go through a small inbox, drained by the goroutine that runs the connection. A write
//     is tried directly, and a writer goroutine is started only for the remaining bytes.
//  5. A busy handler or a full upstream pauses the reading of that socket. Every queue is bounded.
//  6. Every close has a [CloseReason], and every drop a name and a counter ([Metrics]).
//  7. A fault of one handler, guest or device never affects another connection, except those of a shared guest
//     instance.
//  8. What was acknowledged to a device at QoS above 0 is on the broker or on disk.
//  9. A handler gets the result of a login before the messages of its session.
//  10. Secrets are never logged: [ClientInfo] holds none, [ConnInfo] holds one only as [PropertyPassword], and the
//     password of a login is an argument that is not kept longer than the session.
//
// # Imports and locks
//
// The package imports internal/ only. Locks, in order: Conn.mu, then sharedRates.mu; sendQueue.mu, then queueBudget.mu;
// Gateway.mu, then lease.mu. Locks of different orders are never held together. Handlers and sessions are called
// without locks; the transport is written to under sendQueue.mu only if that does not block.
//
// Begin with Gateway.AddListener and attach in listening.go, then conn.go and inbox.go; calls.go goes up to the broker
// and sendqueue.go down to the device.
package gateway
