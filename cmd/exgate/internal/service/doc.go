// Package service runs a configured gateway: it creates the parts, connects them, and stops them in order.
//
// Begin reading with service.go, whose list of steps is the order of starting; stopping is the reverse. listeners.go
// and open.go create listeners, handlers.go and client.go handlers, upstream.go connectors, taps.go captures and
// shadows. check.go finds what a start would reject, and succession.go hands over to another process.
//
// It may import every package that it connects, but no other command. Its mutexes each guard one map or list.
package service
