// Package brokertest has brokers for the tests of connectors: [Scripted] runs a script, [MemoryBroker] records what its
// clients ask for, and [StrictBroker] ends the connection on topics that it does not like. devices.go has devices that
// log in over any connector.
package brokertest
