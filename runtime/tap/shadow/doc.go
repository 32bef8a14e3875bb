// Package shadow runs a second handler beside the one that serves: it gets the same events, what it calls goes nowhere and is answered as the
// live handler's calls were, and where the two differ is counted and logged. So a new version of a protocol is proved on real traffic before it is trusted.
//
// The live connection never waits for its shadow: events are copied into a bounded queue, and a shadow that lags behind is given up and counted.
// Whatever the shadow does (it fails, traps, calls without end), the device does not notice.
package shadow
