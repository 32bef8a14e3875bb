package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config configures a Spool. Only Folder is required.
type Config struct {
	// Folder is the directory for the spool's files; nothing else may be in it. If missing, it is created with
	// permissions for its owner only. Required.
	Folder string

	// MaxBytes limits the size of all records together, in bytes. A record counts its payload, topic, properties and 64
	// bytes more; the first one of a queue also counts the client id. The files also contain data that pebble has not
	// compacted yet, 200 MiB at most in our measurements. If zero, 1 GiB.
	MaxBytes int64

	// MaxBytesPerDevice limits the records of one client id, counted in the same way. If zero, 64 MiB or MaxBytes,
	// whichever is less.
	MaxBytesPerDevice int64

	// MaxAge is how old a record may become, by the wall clock, before it is dropped and counted. If zero, 24 h: long
	// enough for a night without staff, and short enough not to flood the broker with outdated messages.
	MaxAge time.Duration

	// DropOldest drops the oldest records to accept new ones when a limit is reached: records of the device for
	// MaxBytesPerDevice, records of the device with the most bytes for MaxBytes. If false, new records are refused with
	// [ErrFull].
	DropOldest bool

	// Logger receives log messages; pebble's are logged at debug level. If nil, slog.Default().
	Logger *slog.Logger

	// Metrics receives the metrics. If nil, a private unregistered set.
	Metrics *Metrics
}

func (cfg Config) withDefaults() Config {
	setDefault(&cfg.MaxBytes, 1<<30)
	setDefault(&cfg.MaxBytesPerDevice, min(64<<20, cfg.MaxBytes))
	setDefault(&cfg.MaxAge, 24*time.Hour)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	return cfg
}

func (cfg Config) check() error {
	switch {
	case cfg.Folder == "":
		return errors.New("upstream.spool.folder: choose a folder for the spool")
	case cfg.MaxBytes < 0:
		return fmt.Errorf("upstream.spool.max_bytes: must be more than 0, not %d", cfg.MaxBytes)
	case cfg.MaxBytesPerDevice < 0:
		return fmt.Errorf("upstream.spool.max_bytes_per_device: must be more than 0, not %d", cfg.MaxBytesPerDevice)
	case cfg.MaxAge < 0:
		return fmt.Errorf("upstream.spool.max_age: must be more than 0, not %v", cfg.MaxAge)
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
