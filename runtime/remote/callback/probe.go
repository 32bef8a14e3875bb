package callback

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/target"
)

const (
	probeWait    = 2 * time.Second // how long the first event waits for the answer
	probeTimeout = time.Minute     // how long an answer still counts
	probeLosses  = 2               // how many connections to the backend the probe may cost
)

// endProbe finds out whether a handler answers the end of a stream: the first event that a backend receives has a
// stream of its own, which ends after it. If the handler answers, each event can have a stream of its own. Some
// handlers do not, since EMQX never ends a stream, and some do not survive it. Therefore a stream is never ended
// without an event on it, and a handler whose connection was lost twice during the probe is not probed again.
type endProbe struct {
	dialect *Streams
	to      *backend.Backend

	mu      sync.Mutex    // guards the fields below
	running chan struct{} // closed at the end of the probe in progress; nil without one
	answers bool
	silent  bool // the handler did not answer in time
	losses  int  // connections lost during the probe
}

func newEndProbe(d *Streams, to *backend.Backend) *endProbe {
	return &endProbe{dialect: d, to: to}
}

// await returns whether the handler answers. If that is not known and no probe is in progress, mine is true: the
// caller's event is the probe, and the caller must call send.
func (p *endProbe) await() (answers, mine bool) {
	for {
		p.mu.Lock()
		running := p.running
		switch {
		case p.answers || p.silent || p.losses >= probeLosses:
			defer p.mu.Unlock()
			return p.answers && p.losses < probeLosses, false
		case running == nil:
			p.running = make(chan struct{})
			p.mu.Unlock()
			return false, true
		}
		p.mu.Unlock()
		<-running
	}
}

// send delivers the event of the probe and waits for the answer. If that takes too long, send returns nil and the
// handler counts as one that does not answer. Errors are as from [serviceMethod.Invoke].
func (p *endProbe) send(via *serviceMethod, request any) error {
	defer p.finish()
	began := time.Now()
	ctx, cancel := context.WithCancel(p.dialect.end)
	late := time.AfterFunc(via.caller.Timeout, cancel)
	stream, err := openStream(ctx, p.to.RPC(), &oneEvent, via.path)
	if err == nil {
		err = stream.SendMsg(request)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		if ctx.Err() != nil && p.dialect.end.Err() == nil {
			err = status.Error(codes.DeadlineExceeded, "connecting took too long")
		}
		cancel()
		late.Stop()
		return via.caller.Failed(p.to, via.name, err, true)
	}
	late.Reset(probeTimeout)
	answered := make(chan error, 1)
	release := p.to.Gate().Occupy() // the stream stays open if the handler does not answer
	p.dialect.tasks.Go(func() {
		defer release()
		defer cancel()
		defer late.Stop()
		err := awaitEnd(stream)
		p.learn(ctx, err)
		answered <- err
	})
	patience := time.NewTimer(min(probeWait, via.caller.Timeout/2))
	defer patience.Stop()
	select {
	case err := <-answered:
		via.seconds.Observe(time.Since(began).Seconds())
		return via.outcome(p.to, !target.IsUnprocessed(err), err)
	case <-patience.C:
		p.giveUp()
		return nil
	}
}

// finish ends the probe.
func (p *endProbe) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.running)
	p.running = nil
}

// answered reports whether the handler has answered.
func (p *endProbe) answered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answers
}

// learn records the answer. An error is one too: it came because the stream ended.
func (p *endProbe) learn(ctx context.Context, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case ctx.Err() != nil || target.IsUnprocessed(err):
	case status.Code(err) == codes.Unavailable:
		p.losses++
	default:
		p.answers, p.losses = true, 0
	}
}

// giveUp marks the handler as one that does not answer, until it does.
func (p *endProbe) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.answers {
		p.silent = true
		p.dialect.caller.Log.Warn(
			"the handler does not answer the end of a stream: its connections share streams, and events are "+
				"not acknowledged",
			"backend", p.to.Addr(), "check", "that its methods return EmptySuccess when the gateway ends a stream")
	}
}

// retry allows another probe of a handler that did not answer: it was lost, and may have been replaced.
func (p *endProbe) retry() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = false
}

// fragile reports whether the handler may not survive the end of a stream.
func (p *endProbe) fragile() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.losses >= probeLosses
}
