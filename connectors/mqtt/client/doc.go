// Package client speaks MQTT 5 to a broker, for device sessions and for shared sessions.
//
// A [Broker] is what all connectors to one broker share: its servers, its connections, the spool and the gateway
// client. A [Client] is what the broker knows by a client id. It outlives its connections (link.go, on package wire):
// unacknowledged calls are sent again over the next one. A [PublishQueue] keeps the calls of one device on a client in
// order, and a backlog holds its spooled messages. If the broker ends connections because of a call, blame.go, trial.go
// and prober.go find and refuse it.
//
// Begin with client.go, then calls.go and link.go. inspect.go is what tests of the packages above see of a client.
//
// The package imports internal/, runtime/gateway, connectors/internal and wire. It and wire are the only ones that send
// and receive packets.
//
// Lock order: Client.mu, backlog.mu, Broker.mu. The methods of an [Owner] and callbacks run with none of them held.
package client
