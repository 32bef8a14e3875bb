// Package handler is what a device protocol in Go needs to run behind an exgate gateway, or behind EMQX: write a
// [Handler], serve it with a [Server], and put the server's address into the gateway's configuration.
//
// A server answers every dialect of the handler's service on one port, so that the gateway's setting dialect may be
// session (the fastest), unary or stream. The handler sees no difference:
//
//   - The callbacks of one connection come one at a time and in order: OnSocketCreated first, OnSocketClosed last. Those of different
//     connections run at the same time.
//   - The methods of [Conn] may be called from anywhere, also inside callbacks. Those that return an error wait for the answer of the gateway, and
//     those that need the broker for that of the broker.
package handler
