package watch

import (
	"cmp"
	"context"
	"log/slog"
	"time"
)

// Options configure how files are watched.
type Options struct {
	// Poll is the interval between looks without notifications, as on network file systems. If zero, 5 s.
	Poll time.Duration

	// Settle is how long files must be unchanged before they are used: they may be half written. Files that change
	// continually are used after ten times as long. If zero, 100 ms.
	Settle time.Duration

	// PollOnly disables notifications.
	PollOnly bool

	// Logger receives problems with notifications. If zero, slog.Default().
	Logger *slog.Logger

	notifier notifier // nil except in tests
}

func (o Options) withDefaults() Options {
	o.Poll, o.Settle = cmp.Or(o.Poll, 5*time.Second), cmp.Or(o.Settle, 100*time.Millisecond)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	switch {
	case o.PollOnly:
		o.notifier = silent{}
	case o.notifier == nil:
		o.notifier = newSubscription()
	}
	return o
}

const (
	quiet    = 100 * time.Millisecond // events within this time of each other cause one look
	maxQuiet = time.Second            // the longest delay of a look, however many events arrive
)

// Folder calls look whenever something in the folder may have changed, until ctx ends. look returns the longest time
// until its next call; if zero, Options.Poll. One goroutine calls it, for the first time about 100 ms after the start.
func Folder(ctx context.Context, path string, o Options, look func() time.Duration) {
	run(ctx, o.withDefaults(), func() []string { return []string{path} }, look)
}

// run is Folder for several folders, which may differ each time.
func run(ctx context.Context, o Options, folders func() []string, look func() time.Duration) {
	defer o.notifier.close()
	problem := ""
	follow := func() {
		text := ""
		if err := o.notifier.follow(folders()); err != nil {
			text = err.Error()
		}
		if text != "" && text != problem {
			o.Logger.Warn("file notifications are unavailable; polling instead", "poll", o.Poll.String(), "error", text)
		}
		problem = text
	}
	follow()
	due := time.Now().Add(quiet) // the latest time of the next look
	var since time.Time          // time of the first event after the last look
	next := time.NewTimer(quiet)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.notifier.events():
			now := time.Now()
			if since.IsZero() {
				since = now
			}
			next.Reset(min(due.Sub(now), since.Add(maxQuiet).Sub(now), quiet))
		case <-next.C:
			since = time.Time{}
			follow() // before looking, so that no change is missed in between
			pause := cmp.Or(look(), o.Poll)
			due = time.Now().Add(pause)
			next.Reset(pause)
		}
	}
}
