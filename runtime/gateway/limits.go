package gateway

import "time"

// Limits bounds what one connection may hold or wait for.
type Limits struct {
	// IdleTimeout ends a connection whose device has sent nothing for this long since it was accepted. If zero, 30 s.
	IdleTimeout time.Duration
	// SendQueueBytes is how much may wait for a slow peer before it is closed with send_queue_full. If zero, 16 MiB,
	// since a handler may send 8 MiB at once.
	SendQueueBytes int
	// SendTimeout ends a connection whose peer has accepted no queued bytes for this long. If zero, 15 s.
	SendTimeout time.Duration
	// InboxMessages is how many messages from the upstream may wait for the handler. If zero, 1000.
	InboxMessages int
	// InboxBytes bounds the payloads of those messages. If zero, 4 MiB. One message always fits.
	InboxBytes int
	// PublishWindow is the number of publishes in flight at the upstream at which the socket is no longer read. If
	// zero, 16.
	PublishWindow int
	// PublishWindowBytes is the same for the bytes of their payloads. If zero, 64 KiB.
	PublishWindowBytes int
	// MaxCalls is the number of upstream calls in flight at which further calls are refused with LIMIT. If zero, 1024.
	MaxCalls int
	// AuthTimeout is how long the upstream may take to accept a client. If zero, 5 s.
	AuthTimeout time.Duration
	// CloseTimeout is how long a closed connection may take to send what is still queued. If zero, 5 s.
	CloseTimeout time.Duration
	// AuthDeadline ends a connection that has not authenticated this long after it was accepted. If zero, never.
	AuthDeadline time.Duration
	// MaxEventBytes is the maximum body of OnReceivedBytes. More bytes of a stream come in several events; a larger
	// datagram is dropped. If zero, an event has what one read returns.
	MaxEventBytes int
	// BytesPerSecond is the rate of received bytes. Beyond it, reading pauses. If zero, no limit.
	BytesPerSecond int
	// BytesBurst is how many bytes may be received at once after a pause. If zero, 5 % of BytesPerSecond.
	BytesBurst int
	// MessagesPerSecond is the rate of reads (of a stream) or datagrams. Beyond it, reading pauses. If zero, no limit.
	MessagesPerSecond float64
	// MessagesBurst is how many may be received at once after a pause. If zero, 5 % of MessagesPerSecond.
	MessagesBurst float64
	// PublishesPerSecond is the rate of the handler's publishes. Beyond it, reading pauses. If zero, no limit.
	PublishesPerSecond float64
	// PublishesBurst is how many publishes are allowed at once after a pause, also within one event. Further ones are
	// refused with LIMIT. If zero, 5 % of PublishesPerSecond, and none is refused: reading pauses until the rate is
	// kept again.
	PublishesBurst float64
	// LingerTimeout is how long a closed connection waits for its peer to close too, so that the last bytes arrive. If
	// zero, 1 s.
	LingerTimeout time.Duration
}

// DefaultLimits holds the values that replace zero fields.
var DefaultLimits = Limits{
	IdleTimeout:        30 * time.Second,
	SendQueueBytes:     16 << 20,
	SendTimeout:        15 * time.Second,
	InboxMessages:      1000,
	InboxBytes:         4 << 20,
	PublishWindow:      16,
	PublishWindowBytes: 64 << 10,
	MaxCalls:           1024,
	AuthTimeout:        5 * time.Second,
	CloseTimeout:       5 * time.Second,
	LingerTimeout:      time.Second,
}

// withDefaults returns l with each zero field replaced by its default.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	setDefault(&l.IdleTimeout, d.IdleTimeout)
	setDefault(&l.SendQueueBytes, d.SendQueueBytes)
	setDefault(&l.SendTimeout, d.SendTimeout)
	setDefault(&l.InboxMessages, d.InboxMessages)
	setDefault(&l.InboxBytes, d.InboxBytes)
	setDefault(&l.PublishWindow, d.PublishWindow)
	setDefault(&l.PublishWindowBytes, d.PublishWindowBytes)
	setDefault(&l.MaxCalls, d.MaxCalls)
	setDefault(&l.AuthTimeout, d.AuthTimeout)
	setDefault(&l.CloseTimeout, d.CloseTimeout)
	setDefault(&l.LingerTimeout, d.LingerTimeout)
	return l
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
