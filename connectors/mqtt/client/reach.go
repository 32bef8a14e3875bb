package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/exgate/exgate/internal/backoff"
)

const (
	probePause    = time.Second      // shortest pause between probes
	probeLongest  = 8 * time.Second  // longest pause while the broker is down
	probeInterval = 15 * time.Second // pause while the broker is up and nothing is connected
	probeSpaced   = 12 * time.Second // upper limit of the shortest pause when failures keep requesting probes
	probeSlow     = 2 * time.Second  // the broker counts as unreachable until a slower answer arrives
)

var (
	errNotAsked = errors.New("it has not answered yet")
	errSlow     = fmt.Errorf("it has not answered within %v", probeSlow)
)

// reach tracks whether the broker can be reached.
type reach struct {
	wake  chan struct{} // capacity 1: probe now
	first chan struct{} // closed after the first answer

	reporting sync.Mutex // held while an answer is logged and stored; comes before mu

	mu    sync.Mutex // guards the fields below
	cause error      // why the broker cannot be reached; nil: it can
	since time.Time  // since when cause holds
	known bool       // first is closed
}

func newReach() *reach {
	return &reach{wake: make(chan struct{}, 1), first: make(chan struct{}), cause: errNotAsked, since: time.Now()}
}

// checkSoon requests a probe.
func (r *reach) checkSoon() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// report logs an answer by calling log with the previous state and its start, and then stores it, in this order so that
// the log line precedes whoever waits for the first answer. cause is nil if the broker can be reached.
func (r *reach) report(cause error, log func(before error, since time.Time)) {
	r.reporting.Lock()
	defer r.reporting.Unlock()
	since, before := r.stateSince()
	log(before, since)
	r.mu.Lock()
	defer r.mu.Unlock()
	if (before == nil) != (cause == nil) || errors.Is(before, errNotAsked) {
		r.since = time.Now()
	}
	r.cause = cause
	if !r.known {
		r.known = true
		close(r.first)
	}
}

func (r *reach) stateSince() (since time.Time, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.since, r.cause
}

func (r *reach) state() error {
	_, cause := r.stateSince()
	return cause
}

// WatchReach starts monitoring; see Connector.Watch.
func (b *Broker) WatchReach() { b.workers.Go(b.watch) }

// Reachable returns why the broker cannot be reached; see Connector.Reachable.
func (b *Broker) Reachable(ctx context.Context) error {
	select {
	case <-b.reach.first:
	case <-ctx.Done():
	}
	return b.reach.state()
}

func (b *Broker) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-b.quit
		cancel()
	}()
	b.reach.follow(ctx, b.probe, b.reached)
}

// follow calls ask periodically until ctx ends and passes each answer to report. checkSoon shortens the pause, but each
// time the shortest pause doubles, up to probeSpaced: if the broker ends each connection at once, every device calls
// checkSoon.
func (r *reach) follow(ctx context.Context, ask func(context.Context) error, report func(error)) {
	shortest := probePause
	for failures := 0; ctx.Err() == nil; {
		err := ask(ctx)
		if ctx.Err() != nil {
			return
		}
		report(err)
		longest := probeInterval
		if failures++; err == nil {
			failures = 0
		} else {
			longest = min(probePause<<min(failures-1, 10), probeLongest)
		}
		if r.waitNext(ctx, shortest, longest) {
			shortest = min(2*shortest, probeSpaced)
		} else {
			shortest = probePause
		}
	}
}

// waitNext waits for about longest, or until checkSoon is called, but at least for shortest. It reports whether
// checkSoon was called.
func (r *reach) waitNext(ctx context.Context, shortest, longest time.Duration) (asked bool) {
	if !backoff.Sleep(ctx, shortest) {
		return false
	}
	t := time.NewTimer(max(longest-shortest, 0) + rand.N(longest/4)) //nolint:gosec // a pause is no secret
	defer t.Stop()
	select {
	case <-t.C:
		return false
	case <-r.wake:
		return true
	case <-ctx.Done():
		return false
	}
}

// probe returns nil if the broker can be reached, or else the reason.
func (b *Broker) probe(ctx context.Context) error {
	if b.connected.Load() > 0 {
		return nil
	}
	slow := time.AfterFunc(probeSlow, func() { b.reached(errSlow) })
	defer slow.Stop()
	ctx, cancel := context.WithTimeout(ctx, b.cfg.ConnectTimeout*time.Duration(len(b.servers)))
	defer cancel()
	if b.cfg.Username == "" && b.gatewayOwner.Load() == nil {
		return b.probeTCP(ctx)
	}
	err := b.tryConnect(ctx, "exgate-"+b.cfg.Node+"-probe", b.cfg.Username, b.cfg.Password)
	if err != nil && isAnswer(err) {
		return nil // it refuses the account, but it can be reached
	}
	return err
}

// probeTCP opens and closes a connection to the first server that accepts one.
func (b *Broker) probeTCP(ctx context.Context) error {
	var errs []error
	for _, s := range b.servers {
		dialing, cancel := context.WithTimeout(ctx, b.cfg.ConnectTimeout)
		conn, err := s.Dial(dialing)
		cancel()
		if err == nil {
			_ = conn.Close()
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// reached stores whether the broker can be reached and logs changes.
func (b *Broker) reached(cause error) {
	if errors.Is(cause, errSlow) && b.connected.Load() > 0 {
		return
	}
	b.reach.report(cause, func(before error, since time.Time) {
		switch {
		case cause != nil && (before == nil || errors.Is(before, errNotAsked)):
			b.log.Warn("the broker cannot be reached; devices cannot log in until it can (upstream.url)", "broker",
				b.server().HostPort, "error", cause)
		case cause == nil && before != nil && !errors.Is(before, errNotAsked):
			b.log.Info("the broker can be reached again", "broker", b.server().HostPort, "away",
				time.Since(since).Round(time.Millisecond).String())
		}
	})
}

// learned uses the outcome of any connection attempt as an answer.
func (b *Broker) learned(err error) {
	if err == nil || isAnswer(err) {
		b.reached(nil)
	} else {
		b.reach.checkSoon()
	}
}
