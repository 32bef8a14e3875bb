// Package shadow runs a second handler alongside the live one. The second handler gets the same events; its calls go
// nowhere and are answered as the live handler's were, and differences are counted and logged. So a new version of a
// protocol can be tried on real traffic.
//
// The live connection never waits for its shadow: events are copied to a bounded queue, and a shadow that lags behind
// is dropped and counted. Whatever the shadow does (it fails, traps, makes endless calls), the device does not notice.
//
// The package imports runtime/gateway and runtime/tap. Locks, in order: connection.mu, then Shadow.mu. Handlers are
// called without them. Begin with [Shadow.NewHandler] in shadow.go, then connection.go (queue) and player.go.
package shadow
