// Package wire has the parts of a connection to an MQTT 5 broker: dialing over TCP, TLS and WebSocket, a connection
// whose writers never wait for the socket, PUBLISH packets encoded without allocations, keep-alive, reason codes, and
// checks of the packets that the broker sends.
//
// It knows no sessions and no devices; package mqtt builds on it. It imports only internal/, the result codes of
// runtime/gateway, and paho. Begin with [Conn] in conn.go.
//
// Locks: Heartbeat.mu before Conn.mu.
package wire
