package mqtt

import "time"

// SpoolConfig says where publishes of QoS 1 and 2 wait for the broker, and how many may.
type SpoolConfig struct {
	// Folder is made where it is missing; one process at a time has it. If zero, there is no spool.
	Folder string
	// MaxBytes bounds what waits in all. If zero, 1 GiB.
	MaxBytes int64
	// MaxBytesPerDevice bounds what waits for one device. If zero, 64 MiB.
	MaxBytesPerDevice int64
	// MaxAge is how long a message may wait; then it is dropped and counted. If zero, 24 h.
	MaxAge time.Duration
	// DropOldest drops and counts the oldest message where there is no room, instead of refusing the newest.
	DropOldest bool
	// DrainRate is how many of the messages that waited for a connection are sent a second, of all devices together. If zero, 1000.
	DrainRate float64
}

func (c SpoolConfig) withDefaults() SpoolConfig {
	if c.Folder != "" {
		setDefault(&c.MaxBytes, 1<<30)
		setDefault(&c.MaxBytesPerDevice, 64<<20)
		setDefault(&c.MaxAge, 24*time.Hour)
		setDefault(&c.DrainRate, 1000)
	}
	return c
}
