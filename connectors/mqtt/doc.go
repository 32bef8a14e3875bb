// Package mqtt reaches an MQTT 5 broker with one connection for each authenticated device, so that authentication, access rules
// and takeover are the broker's own. It is the only package that sees paho.
//
// paho encodes, decodes and runs each connection. What is under way, what is sent again after a loss, and the order of publishes are kept
// here, in [Session]: a connection has no goroutine for a publish, and nothing of it waits on a channel that a lost session leaves behind.
package mqtt
