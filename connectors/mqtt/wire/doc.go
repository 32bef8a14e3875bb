// Package wire implements connections to an MQTT 5 broker: dialing over TCP, TLS and WebSocket, buffered connections
// whose writers never wait for the socket, encoding of PUBLISH packets without allocations, keep-alive, reason codes,
// and validation of the broker's packets.
//
// It does not know sessions or devices; package mqtt builds on it. It imports only internal/, the result codes of
// runtime/gateway, and paho. Begin with [Conn] in conn.go.
//
// Locks: Heartbeat.mu before Conn.mu.
package wire
