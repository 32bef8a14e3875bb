// Package mqtt connects devices to an MQTT 5 broker, in one of two ways: [Connector] opens a session at the broker for
// each device, so that authentication, access rules and takeover are the broker's; package shared has devices share a
// few connections of the gateway.
//
// Begin with connector.go. Package client connects to the broker and keeps the calls of devices; this package and
// package shared decide which sessions there are. aliases.go has the names that the program uses.
//
// The package imports runtime/gateway, connectors/access, client and shared.
//
// Lock order: those of package client, with Connector.mu after client.Client.mu. Callbacks run with none of them held.
package mqtt
