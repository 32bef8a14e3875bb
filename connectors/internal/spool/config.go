package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config is what a Spool is opened with. Only Folder is required.
type Config struct {
	// Folder holds the files, and nothing else. It is made, for its owner alone, where it is missing. If zero, Open
	// fails.
	Folder string

	// MaxBytes bounds all records together, in bytes. A record counts with its payload, topic and properties and 64
	// more, and the first one of a queue with the client id too. The files also hold what pebble has not tidied up yet:
	// 200 MiB at most were seen. If zero, 1 GiB.
	MaxBytes int64

	// MaxBytesPerDevice bounds the records of one client id, counted in the same way. If zero, 64 MiB, or MaxBytes
	// where that is less.
	MaxBytesPerDevice int64

	// MaxAge is how old a record may become, by the wall clock, before it is dropped and counted. If zero, 24 h: longer
	// than a night without staff, and short enough that a broker is not flooded with what nobody waits for any longer.
	MaxAge time.Duration

	// DropOldest drops the oldest records where a bound is reached, and takes the newest: over MaxBytesPerDevice those
	// of the device, over MaxBytes those of the device that holds the most bytes. If zero, the newest is refused with
	// [ErrFull].
	DropOldest bool

	// Logger gets what a person should know; what pebble says goes there at debug. If zero, slog.Default().
	Logger *slog.Logger

	// Metrics counts. If zero, a private unregistered set.
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
		return errors.New("upstream.spool.folder: name a folder for the spool")
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
