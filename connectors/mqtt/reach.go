package mqtt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	probePause    = time.Second      // at least, between two probes
	probeLongest  = 8 * time.Second  // the longest pause while the broker is down
	probeInterval = 15 * time.Second // while it is up and nothing is connected to it
	probeSpaced   = 12 * time.Second // at least, between probes that devices' failures have asked for again and again
	probeSlow     = 2 * time.Second  // an answer that takes longer counts as none until it comes
)

var (
	errNotAsked = errors.New("it has not answered yet")
	errSlow     = fmt.Errorf("it has not answered within %v", probeSlow)
)

// reach is what is known of whether the broker can be reached.
type reach struct {
	wake  chan struct{} // has room for one: look now
	first chan struct{} // closed when the first answer is known

	reporting sync.Mutex // held while an answer is logged and noted; before mu

	mu    sync.Mutex // guards the fields below
	cause error      // why it cannot be reached; nil: it can
	since time.Time  // of cause
	known bool       // first is closed
}

func newReach() *reach {
	return &reach{wake: make(chan struct{}, 1), first: make(chan struct{}), cause: errNotAsked, since: time.Now()}
}

// look has the broker asked soon.
func (r *reach) checkSoon() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// report logs an answer with log, given the state before and since when that was, and then notes it: who waits for the first answer finds its line in
// the log. The answer is nil where the broker can be reached.
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

// Watch begins to find out whether the broker can be reached, also while no device is connected, and logs when that changes. It ends with Close. Nothing is
// sent to the broker beside what devices need while a connection to it is open. Without one it is asked every 15 s, and with pauses of 1 s to 12 s while it
// cannot be reached: with the gateway's account by a connection that ends at once, without an account by one that sends nothing.
func (c *Connector) Watch() {
	c.broker.workers.Go(c.broker.watch)
}

// Reachable returns nil if the broker can be reached as far as [Connector.Watch] knows, and else why not. It waits for the first answer until ctx ends.
func (c *Connector) Reachable(ctx context.Context) error {
	select {
	case <-c.broker.reach.first:
	case <-ctx.Done():
	}
	return c.broker.reach.state()
}

func (b *broker) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-b.quit
		cancel()
	}()
	b.reach.follow(ctx, b.probe, b.reached)
}

// follow calls ask again and again until ctx ends, and hands each answer to report. Whoever calls look has it ask sooner, but each time that
// happens the shortest pause doubles, up to probeSpaced: a broker that ends each connection at once makes every device call look.
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

// rest waits for longest and a little at random, or until look is called, but at least for shortest. It reports whether look was called.
func (r *reach) waitNext(ctx context.Context, shortest, longest time.Duration) (asked bool) {
	if !pause(ctx, shortest) {
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

// ask returns why the broker cannot be reached, or nil.
func (b *broker) probe(ctx context.Context) error {
	if b.connected.Load() > 0 {
		return nil
	}
	slow := time.AfterFunc(probeSlow, func() { b.reached(errSlow) })
	defer slow.Stop()
	ctx, cancel := context.WithTimeout(ctx, b.cfg.ConnectTimeout*time.Duration(len(b.servers)))
	defer cancel()
	if b.cfg.Username == "" && b.shared.Load() == nil {
		return b.probeTCP(ctx)
	}
	c := &client{}
	c.init(b, "exgate-"+b.cfg.Node+"-probe", noOwner{})
	c.username, c.password = b.cfg.Username, b.cfg.Password
	l, err := b.open(ctx, c, true)
	if err == nil {
		l.disconnect(false, false)
	} else if isAnswer(err) {
		return nil // it does not take the account, which is another trouble
	}
	return err
}

// knock opens a connection to the first server that takes one, and closes it.
func (b *broker) probeTCP(ctx context.Context) error {
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

// reached notes whether the broker can be reached, and logs it where that has changed.
func (b *broker) reached(cause error) {
	if errors.Is(cause, errSlow) && b.connected.Load() > 0 {
		return
	}
	b.reach.report(cause, func(before error, since time.Time) {
		switch {
		case cause != nil && (before == nil || errors.Is(before, errNotAsked)):
			b.log.Warn("the broker cannot be reached; devices cannot log in until it can (upstream.url)", "broker", b.server().HostPort, "error", cause)
		case cause == nil && before != nil && !errors.Is(before, errNotAsked):
			b.log.Info("the broker can be reached again", "broker", b.server().HostPort, "away", time.Since(since).Round(time.Millisecond).String())
		}
	})
}

// learned takes the outcome of a connection for a device or the gateway as an answer.
func (b *broker) learned(err error) {
	if err == nil || isAnswer(err) {
		b.reached(nil)
	} else {
		b.reach.checkSoon()
	}
}
