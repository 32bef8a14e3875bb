// Package listener accepts device connections and reads them: one type for each kind of socket, all of them a [gateway.Listener]. What a device
// sends goes to [gateway.Conn.Receive]: from a stream on the goroutine that read it, from Listener on one that is there while the device has datagrams
// waiting, from Listener on the session's own.
package listener
