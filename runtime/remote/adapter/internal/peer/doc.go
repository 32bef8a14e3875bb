// Package peer forwards adapter calls between the nodes of a group of gateways, so that a handler can use one
// load-balanced adapter address: a call for a connection of another node is forwarded to that node, over the same port,
// once.
//
// A peer may do what any caller may do. The owner of a connection checks the token of the handler that made the call,
// which the forwarding node passes on along with its own.
//
// Begin reading at peers.go. Its one lock, Peers.mu, is held alone. It imports runtime/gateway only.
package peer
