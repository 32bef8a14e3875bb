package gateway

import "time"

// AuthObserver is met by transports that want to know when their device was refused by the upstream.
type AuthObserver interface {
	// AuthFailed is called after each refused authentication. It must not block.
	AuthFailed()
}

// MessageTransport is met by transports that carry each Send as one message, whose size is limited.
type MessageTransport interface {
	// CheckSend refuses a Send of n bytes where one message does not hold them, and counts it. The connection stays.
	CheckSend(n int) Result
}

// Transport is the socket of one device as a [Conn] sees it; runtime/listener implements it for each kind of socket. The
// listener reads, the Conn writes and closes.
type Transport interface {
	// Info says who is at the other end. It is called when the connection is made, and again where it is not taken.
	Info() ConnInfo

	// TryWrite writes what the socket takes without waiting, and returns how much that was. A transport that cannot know returns 0, nil.
	TryWrite(b []byte) (int, error)

	// Write writes all of b and waits for it, at most until the write deadline.
	Write(b []byte) (int, error)
	SetWriteDeadline(t time.Time) error

	// CloseWrite tells the peer that nothing more will come, and lets the listener discard what the peer still sends for at most linger,
	// so that the last bytes are not lost to a reset. After it the listener closes the transport.
	CloseWrite(linger time.Duration) error

	// Close frees the socket at once and wakes the goroutine that reads it. Calling it again does nothing.
	Close() error

	// Abort is Close that also throws away what the kernel has not sent yet.
	Abort() error
}
