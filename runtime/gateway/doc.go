// Package gateway connects device sockets, protocol handlers and an MQTT upstream.
//
// It holds the [Gateway], one [Conn] for each device, and the contracts that the other packages implement: [Transport]
// (runtime/listener), [HandlerFactory] and [ConnectionHandler] (runtime/remote, runtime/wasm), [ConnectionAdapter]
// (what a handler may do, implemented by [Conn]), [Connector] and [Session] (connectors). Names are those of EMQX's
// ExProto contract, so that the .proto file and the Go code can be searched with the same word.
//
// # Invariants
//
//  1. A connection's events reach its handler one at a time, in order: OnSocketCreated first, OnSocketClosed last, each exactly once.
//  2. Adapter calls never wait for an event to finish: handlers call them inside events.
//  3. Send only queues. A full queue closes the slow peer with [ReasonSendQueueFull].
//  4. An idle connection costs one goroutine and holds no buffer: bytes are handled on the goroutine that read them; timers, messages and
//     results go through a small inbox that whoever runs the connection drains; writing tries once directly and starts a writer only
//     for what is left.
//  5. A busy handler or a full upstream stops the reading of that socket. No queue is unbounded.
//  6. Every close has a [CloseReason] and every dropped thing a name and a counter ([Metrics]).
//  7. A fault of one handler, guest or device never touches a connection that is not its own (shared guest instances: its shard).
//  8. What was acknowledged to a device at QoS above 0 is on the broker or on disk.
//  9. A handler gets the result of a login before the messages of its session, whenever those come from the upstream.
//  10. Secrets are never logged: [ClientInfo] and [ConnInfo] hold none, and a password is an argument that no one keeps longer than the session.
package gateway
