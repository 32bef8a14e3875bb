// Package connectortest is the suite that every upstream connector passes, and the doubles that its tests use: [Run]
// checks what [gateway.Connector] and [gateway.Session] promise, against a broker that the caller has started.
package connectortest
