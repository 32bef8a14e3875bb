// Package connectortest is the test suite for upstream connectors, with the test doubles that it needs. [Run] checks
// the contracts of [gateway.Connector] and [gateway.Session] against a broker that the caller has started.
package connectortest
