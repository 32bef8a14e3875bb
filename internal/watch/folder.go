package watch

import (
	"cmp"
	"context"
	"log/slog"
	"time"
)

// Options are how files are watched.
type Options struct {
	// Poll is how often to look where no notification comes, as from network file systems. If zero, 5 s.
	Poll time.Duration

	// Settle is how long files must have been the same before they are taken: they may be half written. Files that
	// never stay the same for so long are taken after ten times as long. If zero, 100 ms.
	Settle time.Duration

	// PollOnly does without notifications.
	PollOnly bool

	// Logger takes what is wrong with notifications. If zero, slog.Default().
	Logger *slog.Logger

	notifier notifier // nil outside of tests
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
	quiet    = 100 * time.Millisecond // events that follow each other within this time make one look
	maxQuiet = time.Second            // a look waits no longer, however many events come
)

// Folder calls look whenever something in the folder may have changed, until ctx ends. look returns when it wants to be
// called again at the latest; if zero, that is after Options.Poll. It is called by one goroutine, and first about 100
// ms after the start.
func Folder(ctx context.Context, path string, o Options, look func() time.Duration) {
	run(ctx, o.withDefaults(), func() []string { return []string{path} }, look)
}

// run is Folder for several folders, which may be others each time.
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
	due := time.Now().Add(quiet) // when to look at the latest
	var since time.Time          // when the first event came that no look has followed yet
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
			follow() // before the look, so that nothing comes between the two
			pause := cmp.Or(look(), o.Poll)
			due = time.Now().Add(pause)
			next.Reset(pause)
		}
	}
}
