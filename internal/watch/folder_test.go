package watch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// hand is a notifier with events from the test.
type hand struct {
	changed chan struct{}
	err     error
	follows int
}

func (h *hand) events() <-chan struct{} { return h.changed }
func (h *hand) close()                  {}
func (h *hand) follow([]string) error   { h.follows++; return h.err }

func (h *hand) event() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// looking is a Folder with a notifier, and when it looked.
type looking struct {
	hand
	start time.Time
	looks []time.Duration
	again time.Duration // what look returns
	log   bytes.Buffer
}

func look(t *testing.T, o Options, again time.Duration, err error) *looking {
	l := &looking{hand: hand{changed: make(chan struct{}, 1), err: err}, start: time.Now(), again: again}
	o.notifier, o.Logger = &l.hand, slog.New(slog.NewTextHandler(&l.log, nil))
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		Folder(ctx, "folder", o, func() time.Duration {
			l.looks = append(l.looks, time.Since(l.start))
			return l.again
		})
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	synctest.Wait()
	return l
}

// noisy creates an event every so often for a while, and returns the looks that came of it.
func (l *looking) noisy(every, total time.Duration) []time.Duration {
	synctest.Wait()
	l.looks = nil
	for from := time.Now(); time.Since(from) < total; {
		l.event()
		time.Sleep(every)
	}
	synctest.Wait()
	return l.looks
}

// Events that never end postpone a look by a second at most, whatever their pace is.
func TestNoiseDoesNotStarve(t *testing.T) {
	for _, every := range []time.Duration{
		time.Millisecond, 10 * time.Millisecond, 99 * time.Millisecond,
		500 * time.Millisecond, 3 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			l := look(t, Options{Poll: time.Hour}, 0, nil)
			time.Sleep(time.Second)
			looks := l.noisy(every, time.Minute)
			if least := int(time.Minute / (max(every, maxQuiet) + quiet)); len(looks) < least || len(looks) > 600 {
				t.Errorf("an event every %v: %d looks in a minute, want at least %d", every, len(looks), least)
			}
			for i := 1; i < len(looks); i++ {
				if d := looks[i] - looks[i-1]; d > max(every, maxQuiet)+quiet || d < quiet {
					t.Errorf("an event every %v: %v between two looks", every, d)
				}
			}
		})
	}
}

// A look that was asked for is not postponed by events.
func TestNoiseDoesNotPostponeLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := look(t, Options{Poll: time.Hour}, 50*time.Millisecond, nil)
		time.Sleep(time.Second)
		if looks := l.noisy(10*time.Millisecond, time.Second); len(looks) < 19 {
			t.Errorf("%d looks in a second, want 20", len(looks))
		}
	})
}

func TestPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := look(t, Options{Poll: 5 * time.Second}, 0, errors.New("too many open files"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(l.looks) != 12 || l.looks[0] != quiet || l.looks[11]-l.looks[10] != 5*time.Second {
			t.Errorf("%v", l.looks)
		}
		if text := l.log.String(); strings.Count(text, "\n") != 1 ||
			!strings.Contains(text, "file notifications are unavailable; polling instead") {
			t.Error(text)
		}
		if l.follows < 12 {
			t.Errorf("tried to get notifications %d times", l.follows)
		}
	})
}
