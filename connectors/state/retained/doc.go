// Package retained keeps the state of devices at the broker, as retained messages of the gateway's own account, so that
// a device that comes to another gateway of a fleet finds its state there. It is a [gateway.StateStore].
//
// Each device has one topic. While it is logged in, its gateway is subscribed to that topic and owns it: a login writes
// the value again with a higher generation, and a late write of an earlier owner is recognized by its lower one and
// overwritten. An owner that sees a higher generation saves nothing any more.
//
// It imports runtime/gateway only. Begin with [Store.Open]. Lock order: Store.connecting, Store.mu; owned.mu is a leaf.
package retained
