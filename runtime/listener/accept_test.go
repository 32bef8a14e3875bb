package listener

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

type nothing struct{ net.Listener }

func (nothing) Close() error { return nil }

// Whatever accept fails with, the loop pauses, counts and goes on until it is closed.
func TestAcceptErrorsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMetrics(nil)
		l := newAcceptLoop(&net.TCPAddr{}, slog.New(slog.DiscardHandler), m)
		start := time.Now()
		calls := 0
		accept := func() error {
			switch calls++; {
			case calls <= 10:
				return syscall.EMFILE
			case calls == 11:
				return nil
			case calls == 12:
				return errors.New("something else")
			}
			_ = l.close(nothing{})
			return net.ErrClosed
		}
		if err := l.run(accept); err != nil {
			t.Error(err)
		}
		// 5, 10, ... 640 ms, then 1 s at most; one accept starts over at 5 ms.
		if want := 1275*time.Millisecond + 2*time.Second + 5*time.Millisecond; time.Since(start) != want {
			t.Errorf("paused %v in all, want %v", time.Since(start), want)
		}
		if n := testutil.ToFloat64(m.acceptErrors.WithLabelValues(":0")); n != 11 {
			t.Errorf("%v errors counted", n)
		}
	})
}

// Closing ends the pause.
func TestCloseWakesThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newAcceptLoop(&net.TCPAddr{}, slog.New(slog.DiscardHandler), nil)
		done := make(chan error)
		go func() { done <- l.run(func() error { return syscall.EMFILE }) }()
		synctest.Wait()
		_ = l.close(nothing{})
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
