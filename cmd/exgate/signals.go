package main

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameRequest is the time within which a repeated SIGTERM or SIGINT counts as the same request. systemd signals every
// process of a unit, and docker and shells forward signals, so one request often arrives twice.
const sameRequest = 100 * time.Millisecond

// processSignals receives the signals of a running gateway and passes on SIGTERM and SIGINT (stop), SIGUSR2 (upgrade)
// and SIGHUP (reload).
//
// SIGUSR1 is logged and ignored. SIGPIPE is ignored, because a closed log pipeline must not end the
// gateway. SIGQUIT is left to the Go runtime, which prints all goroutines and exits with code 2.
type processSignals struct {
	asked    chan os.Signal
	reload   chan struct{} // requests to reload; several at once are one
	received chan os.Signal
	done     chan struct{}
}

// receiveSignals starts receiving every signal except SIGTERM and SIGINT, which end the process at once while it reads
// its configuration. Signals that arrive before pass are kept.
func receiveSignals() *processSignals {
	s := &processSignals{
		asked: make(chan os.Signal, 2), reload: make(chan struct{}, 1), received: make(chan os.Signal, 8),
		done: make(chan struct{}),
	}
	signal.Notify(s.received, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGPIPE)
	return s
}

// receiveStops starts receiving SIGTERM and SIGINT.
func (s *processSignals) receiveStops() { signal.Notify(s.received, syscall.SIGTERM, os.Interrupt) }

// pass handles signals until stop.
func (s *processSignals) pass(log *slog.Logger) {
	go func() {
		defer close(s.done)
		var repeats repeats
		for received := range s.received {
			switch {
			case received == syscall.SIGHUP:
				select {
				case s.reload <- struct{}{}:
				default:
				}
			case received == syscall.SIGUSR1:
				log.Warn("SIGUSR1 is ignored: it has no meaning for exgate")
			case received == syscall.SIGPIPE || repeats.has(received, time.Now()):
			default:
				select {
				case s.asked <- received:
				default: // enough are waiting already
				}
			}
		}
	}()
}

// stop ends what pass started.
func (s *processSignals) stop() {
	signal.Stop(s.received)
	close(s.received)
	<-s.done
}

// repeats detects a signal that was delivered twice for one request.
type repeats struct {
	first os.Signal
	at    time.Time
}

// has reports whether received, at now, is a repetition of the request before.
func (r *repeats) has(received os.Signal, now time.Time) bool {
	if received == r.first && received != syscall.SIGUSR2 && now.Sub(r.at) < sameRequest {
		return true
	}
	r.first, r.at = received, now
	return false
}
