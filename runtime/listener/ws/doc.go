// Package ws accepts WebSocket connections (RFC 6455) on the sockets of package listener, with or without TLS. Each
// message is one event of the handler, whether it came as text or binary and in however many frames, and each Send is
// one message.
//
// It imports listener and what that imports. Compression is not supported, and no other extension.
//
// Lock: pinger.mu, taken alone and never held while waiting.
//
// Begin reading at accept.go, the handshake, and request.go, which checks its request. decoder.go reads frames, conn.go
// is the transport.
package ws
