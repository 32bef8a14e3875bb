package mqtt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/exgate/exgate/connectors/internal/spool"
)

// lockInterval is how often a spool is tried that another process has: that of an upgrade leaves it within its shutdown_timeout.
const lockInterval = 200 * time.Millisecond

// spoolDoor is the spool, once it is open.
type spoolDoor struct {
	opened chan struct{} // closed when the fields below are set
	spool  *spool.Spool  // nil without one
	err    error
}

// openSpool begins to open the spool, if there is one, and to publish what it holds.
func (b *broker) openSpool() {
	if b.cfg.Spool.Folder == "" {
		close(b.spool.opened)
		return
	}
	b.workers.Go(func() {
		defer close(b.spool.opened)
		b.spool.spool, b.spool.err = b.awaitSpool()
		if errors.Is(b.spool.err, errClosed) {
			return
		}
		if b.spool.err != nil {
			b.log.Error("devices cannot log in without the spool", "error", b.spool.err)
			return
		}
		for _, id := range b.spool.spool.Left() {
			b.adopt(id)
		}
	})
}

// awaitSpool opens the spool as soon as no other process has it.
func (b *broker) awaitSpool() (*spool.Spool, error) {
	cfg := spool.Config{
		Folder: b.cfg.Spool.Folder, MaxBytes: b.cfg.Spool.MaxBytes, MaxBytesPerDevice: b.cfg.Spool.MaxBytesPerDevice, MaxAge: b.cfg.Spool.MaxAge,
		DropOldest: b.cfg.Spool.DropOldest, Logger: b.log, Metrics: b.metrics.Spool,
	}
	for waiting := false; ; waiting = true {
		s, err := spool.Open(cfg)
		if !errors.Is(err, spool.ErrLocked) {
			return s, err
		}
		if !waiting {
			b.log.Info("waiting for the spool, which another process has", "folder", cfg.Folder)
		}
		select {
		case <-time.After(lockInterval):
		case <-b.quit:
			return nil, errClosed
		}
	}
}

// spoolOpened waits for the spool.
func (b *broker) spoolOpened(ctx context.Context) error {
	select {
	case <-b.spool.opened:
		return b.spool.err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the spool in %s (upstream.spool.folder), which another process has: %w", b.cfg.Spool.Folder, ctx.Err())
	}
}

func (d *spoolDoor) close() error {
	<-d.opened
	if d.spool == nil {
		return nil
	}
	return d.spool.Close()
}
