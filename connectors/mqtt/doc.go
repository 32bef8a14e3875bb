// Package mqtt connects devices to an MQTT 5 broker, in one of two ways: [Connector] opens a session at the broker for
// each device, so that authentication, access rules and takeover are the broker's; [Shared] has devices share a few
// connections of the gateway.
//
// Begin with connector.go. Package client connects to the broker and keeps the calls of devices; this package decides
// which sessions there are. Shared sessions add routes (which devices a message is for) and control (which gateway has
// a device).
//
// The package imports internal/, runtime/gateway, connectors/access and client.
//
// Lock order: sharedSession.mu, routes.mu, then those of package client, with Connector.mu after client.Client.mu.
// Callbacks run with none of them held.
package mqtt
