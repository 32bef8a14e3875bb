package gateway

import "time"

// Limits bounds what one connection may hold or wait for.
type Limits struct {
	// IdleTimeout ends a connection whose device has sent nothing for this long since it was accepted. If zero, 30 s.
	IdleTimeout time.Duration
	// SendQueueBytes is how much may wait for a slow peer before it is closed with send_queue_full. If zero, 16 MiB: a handler may send
	// 8 MiB at once.
	SendQueueBytes int
	// SendTimeout ends a connection whose peer has accepted no queued bytes for this long. If zero, 15 s.
	SendTimeout time.Duration
	// InboxMessages is how many messages from the upstream may wait for the handler. If zero, 1000.
	InboxMessages int
	// InboxBytes bounds the payloads of those messages. If zero, 4 MiB. One message always fits.
	InboxBytes int
	// PublishWindow is the number of publishes under way at the upstream at which the socket is no longer read. If zero, 16.
	PublishWindow int
	// PublishWindowBytes is the same for the bytes of their payloads. If zero, 64 KiB.
	PublishWindowBytes int
	// MaxCalls is the number of upstream calls under way above which a handler's call is refused with LIMIT. If zero, 1024.
	MaxCalls int
	// AuthTimeout is how long the upstream may take to accept a client. If zero, 5 s.
	AuthTimeout time.Duration
	// CloseTimeout is how long a closed connection may take to send what is still queued. If zero, 5 s.
	CloseTimeout time.Duration
	// AuthDeadline ends a connection that has not authenticated this long after it was accepted. If zero, never.
	AuthDeadline time.Duration
	// MaxEventBytes is the largest body of OnReceivedBytes. More from a stream comes in several events, a larger datagram is dropped. If
	// zero, whatever one read gives.
	MaxEventBytes int
	// BytesPerSecond is how much may be received; beyond it the socket is not read for a while. If zero, no limit.
	BytesPerSecond int
	// BytesBurst is how much may be saved up in silence. If zero, 5 % of a second's.
	BytesBurst int
	// MessagesPerSecond is how many reads (of a stream) or datagrams may be received. If zero, no limit.
	MessagesPerSecond float64
	// MessagesBurst is how many may be saved up in silence. If zero, 5 % of a second's.
	MessagesBurst float64
	// PublishesPerSecond is how often the handler may publish before the socket is not read for a while. If zero, no limit.
	PublishesPerSecond float64
	// PublishesBurst is how many may be saved up in silence. A publish beyond it is refused with LIMIT, also within one event. If zero, 5 % of a
	// second's, and no publish is refused: the reading waits until those beyond the rate are paid for.
	PublishesBurst float64
	// LingerTimeout is how long the socket of a closed connection waits for its peer to close too, so that the last bytes arrive. If
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
