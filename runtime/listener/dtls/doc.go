// Package dtls makes a connection of each client that completes a DTLS 1.2 handshake on a UDP socket, with
// certificates, pre-shared keys or both. A guard below the DTLS library drops what nobody authenticated, and a client
// proves its address before it costs more than a little memory.
//
// It imports runtime/gateway, udp (whose Mux reads the socket), admission, certs and sockets. library.go alone imports
// the DTLS library.
//
// Locks: peer.mu, then session.mu or the lock of an admission.WaitingRoom. datagramPipe.mu and Listener.mu are taken
// alone.
//
// Begin reading at listener.go (screen), then peer.go (Receive), session.go and handshake.go.
package dtls
