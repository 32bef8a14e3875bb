// Package handler is the SDK for device protocols in Go behind an exgate gateway, or behind EMQX: implement a
// [Handler], serve it with a [Server], and put the server's address into the gateway's configuration. It imports the
// generated contracts in proto only.
//
// A server serves every dialect on one port, so the gateway's setting dialect may be session (the fastest), unary or
// stream. The handler sees no difference:
//
//   - The callbacks of one connection run one at a time and in order, from OnSocketCreated to OnSocketClosed. Those of
//     different connections run concurrently.
//   - The methods of [Conn] may be called from any goroutine, also inside callbacks. Those that return an error wait
//     for the gateway's answer, and those that need the broker for the broker's.
//
// Locks in order: Conn.mu, then those of outbox and sessionCalls. Begin reading at handler.go, conn.go and server.go.
package handler
