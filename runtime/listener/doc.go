// Package listener accepts device connections and reads them: one type for each kind of socket, all of them a [gateway.Listener]. What a device
// sends goes to [gateway.Conn.Receive] on the goroutine that read it.
package listener
