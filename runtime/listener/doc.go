// Package listener accepts TCP, TLS and unix socket connections and reads them. Each listener is a [gateway.Listener];
// what a device sends goes to [gateway.Conn.Receive] on the goroutine that read it.
//
// Its rooms: admission decides who may connect, sockets opens listening sockets and hands them over, certs reloads
// certificate files, ws is WebSocket, dial connects to devices that are servers, udp and dtls are the datagram
// listeners. Stream listeners import admission, certs and sockets, never udp or dtls, nor ws and dial, which stand on
// them by way of [Upgrade] and [Dialed].
//
// Locks: opening.mu, attaching.mu and tlsWire.mu are each taken alone; none is held while waiting.
//
// Begin reading at stream.go: accept, PROXY header, handshake, attach. Then streamsocket.go and tlssocket.go.
package listener
