// Package shared gives devices sessions that share a few connections of the gateway to an MQTT 5 broker. The broker
// sees only the gateway's account, so the gateway authenticates devices and applies the access rules.
//
// Begin with connector.go and session.go. A device's publishes go over the connection for its client id, and a filter
// is subscribed once for all devices, on the connection for the filter. routes.go finds the devices that a message is
// for, splitmode.go finds out how many copies of a message the broker sends, and control.go announces logins to the
// other gateways at the broker.
//
// The package imports internal/, runtime/gateway, connectors/access and connectors/mqtt/client.
//
// Lock order: session.mu, routes.mu, then those of package client. Callbacks run with none of them held.
package shared
