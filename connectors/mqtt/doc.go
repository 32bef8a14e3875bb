// Package mqtt reaches an MQTT 5 broker: with one connection for each authenticated device ([Connector]), so that authentication, access rules
// and takeover are the broker's own, or with a few connections that devices share ([Shared]). It is the only package that sees paho.
//
// paho encodes, decodes and runs each connection. The rest is here. A client (client.go) is what the broker knows: it has a client id, packet ids
// and subscriptions, and comes back after a loss. A lane (lane.go) is the order of one device's calls on a client. A backlog (backlog.go) is what the
// spool has of a device, and whose turn it is to publish it. Of shared sessions, routes (routes.go) say which devices a message is for, and control
// (control.go) which gateway has a device.
//
// Locks are taken in this order: sharedSession.mu, routes.mu, client.mu, backlog.mu, broker.mu. Results are told with none of them held.
package mqtt
