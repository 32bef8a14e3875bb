// Package peer carries adapter calls between the nodes of a group of gateways, so that one handler service can stand behind one load-balanced
// adapter address: a call for a connection of another node goes on to that node, over the same port, and no further.
//
// What a peer may do is what any caller may do. The owner of a connection asks for the token of the handler that made the call, which the
// node in between passes on beside its own.
package peer
