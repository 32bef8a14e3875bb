// Package udp makes connections of the sources of a UDP socket's datagrams. Its [Mux] reads the socket in batches,
// queues datagrams for the [Peer] that sent them, and runs peers on workers that exist only while there is work.
// Package dtls uses the same Mux.
//
// It imports runtime/gateway, admission and sockets.
//
// Locks: Mux.mu, a shard's mu, Peer.mu and workers.mu are each taken alone; Peer.mu is released before a worker is
// asked for.
//
// Begin reading at mux.go (dispatch), then peer.go (push and run).
package udp
