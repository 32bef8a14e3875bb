package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/exgate/exgate/connectors/internal/spool"
	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/runtime/gateway"
)

// lockInterval is how often opening a locked spool is retried. During an upgrade, the old process releases it within
// its shutdown_timeout.
const lockInterval = 200 * time.Millisecond

// spoolHandle is the spool, once it is open.
type spoolHandle struct {
	opened chan struct{} // closed when the fields below are set
	spool  *spool.Spool  // nil without one
	err    error
}

// openSpool starts opening the spool, if one is configured, and publishing its messages.
func (b *Broker) openSpool() {
	if b.cfg.Spool.Folder == "" {
		close(b.spool.opened)
		return
	}
	b.workers.Go(func() {
		defer close(b.spool.opened)
		b.spool.spool, b.spool.err = b.awaitSpool()
		if errors.Is(b.spool.err, ErrClosed) {
			return
		}
		if b.spool.err != nil {
			b.log.Error("devices cannot log in without the spool", "error", b.spool.err)
			return
		}
		for _, id := range b.spool.spool.Left() {
			b.publishLeftover(id)
		}
	})
}

// awaitSpool opens the spool as soon as no other process has it locked.
func (b *Broker) awaitSpool() (*spool.Spool, error) {
	cfg := spool.Config{
		Folder: b.cfg.Spool.Folder, MaxBytes: b.cfg.Spool.MaxBytes, MaxBytesPerDevice: b.cfg.Spool.MaxBytesPerDevice,
		MaxAge:     b.cfg.Spool.MaxAge,
		DropOldest: b.cfg.Spool.DropOldest, Logger: b.log, Metrics: b.metrics.Spool,
	}
	for waiting := false; ; waiting = true {
		s, err := spool.Open(cfg)
		if !errors.Is(err, spool.ErrLocked) {
			return s, err
		}
		if !waiting {
			b.log.Info("waiting for the spool, which another process has open", "folder", cfg.Folder)
		}
		select {
		case <-time.After(lockInterval):
		case <-b.quit:
			return nil, ErrClosed
		}
	}
}

// SpoolOpened waits for the spool.
func (b *Broker) SpoolOpened(ctx context.Context) error {
	select {
	case <-b.spool.opened:
		return b.spool.err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the spool in %s (upstream.spool.folder), which another process has open: %w",
			b.cfg.Spool.Folder, ctx.Err())
	}
}

// HasSpool reports whether there is a spool. It must be open.
func (b *Broker) HasSpool() bool { return b.spool.spool != nil }

func (d *spoolHandle) close() error {
	<-d.opened
	if d.spool == nil {
		return nil
	}
	return d.spool.Close()
}

// SpoolConfig configures the spool, where QoS 1 and 2 publishes wait for the broker.
type SpoolConfig struct {
	// Folder is created if missing and locked by one process. If zero, there is no spool.
	Folder string
	// MaxBytes bounds the spool. If zero, 1 GiB.
	MaxBytes int64
	// MaxBytesPerDevice bounds the messages of one device. If zero, 64 MiB.
	MaxBytesPerDevice int64
	// MaxAge is how long a message may wait before it is dropped and counted. If zero, 24 h.
	MaxAge time.Duration
	// DropOldest drops and counts the oldest messages when the spool is full, instead of refusing new ones.
	DropOldest bool
	// DrainRate limits how many messages per second are published from the spool after a reconnect, for all devices
	// together. If zero, 1000.
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

// Refused is a spooled message for which the broker ends connections. It was acknowledged to the device, and is kept in
// a file below the spool's folder.
type Refused = spool.Aside

// ListRefused returns the refused messages below a spool's folder, oldest first, and an error for files it cannot read.
// A gateway may use the folder at the same time.
func ListRefused(folder string) ([]Refused, error) { return spool.ListAside(folder) }

// DropRefused deletes a refused message.
func DropRefused(folder, id string) error { return spool.DropAside(folder, id) }

// resendGoodbye bounds how long ResendRefused takes to close its connection.
const resendGoodbye = 2 * time.Second

// ResendRefused publishes a message with the gateway's account and returns nil once the broker has acknowledged it. It
// returns an error if the broker ends the connection again. It opens no spool and publishes no status.
func ResendRefused(ctx context.Context, cfg Config, m Refused) (err error) {
	cfg.Spool, cfg.DeviceStatus, cfg.GatewayStatus = SpoolConfig{}, Status{}, Status{}
	cfg.Node += "-resend"
	b, err := Open(cfg)
	if err != nil {
		return err
	}
	defer func() {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), resendGoodbye)
		defer cancel()
		err = errors.Join(err, b.Leave(bye))
	}()
	p := b.theProber()
	done := make(chan verdict, 1)
	b.tryElsewhere(call{
		kind: publishing, topic: m.Topic, qos: m.QoS, payload: m.Payload, props: m.Properties, retain: m.Retain,
		spooled: true,
		ends:    convictAt - 1,
	}, func(v verdict) { done <- v })
	select {
	case v := <-done:
		return resendResult(m, v)
	case <-ctx.Done():
		return fmt.Errorf("the broker has not acknowledged the message: %w", errors.Join(p.LastFailure(), ctx.Err()))
	}
}

func resendResult(m Refused, v verdict) error {
	switch {
	case v.unavailable:
		return errors.New("the broker does not let the gateway connect (upstream.username)")
	case v.convicted != nil:
		return fmt.Errorf("the broker ended the connection for the publish to %.200q: %v", m.Topic, *v.convicted)
	}
	if r := wire.ResultOf("publish to", m.Topic, v.reason); !r.Ok() {
		return &gateway.ResultError{Result: r}
	}
	return nil
}
