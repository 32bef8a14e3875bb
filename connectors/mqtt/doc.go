// Package mqtt connects devices to an MQTT 5 broker, in one of two ways: [Connector] opens a session at the broker for
// each device, so that authentication, access rules and takeover are the broker's; [Shared] has devices share a few
// connections of the gateway.
//
// Begin with connector.go and client.go. A client is what the broker knows by a client id; it outlives its connections
// (link.go, on package wire). A publishQueue keeps the calls of one device on a client in order, and a backlog holds
// its spooled messages. If the broker ends connections because of a call, blame.go, trial.go and prober.go find and
// refuse it. Shared sessions add routes (which devices a message is for) and control (which gateway has a device).
//
// The package imports internal/, runtime/gateway, connectors/access and connectors/internal; it and wire are the only
// ones that import paho.
//
// Lock order: sharedSession.mu, routes.mu, client.mu, Connector.mu, backlog.mu, broker.mu. Callbacks run with none of
// them held.
package mqtt
