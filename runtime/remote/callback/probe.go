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
	probeWait    = 2 * time.Second // how long the first event waits for the answer, at most
	probeTimeout = time.Minute     // how long the answer is of interest
	probeLosses  = 2               // connections that the question may cost
)

// endProbe finds out whether a handler answers the end of a stream: the first event that a backend gets has a stream of its own, which ends behind it.
// With that answer each event can have a stream of its own. Handlers in the wild leave it out, since EMQX never ends a stream, and some do not survive an
// end: a stream is never ended with nothing on it, and a handler that was lost over the question twice is not asked again.
type endProbe struct {
	dialect *Streams
	to      *backend.Backend

	mu      sync.Mutex    // guards the fields below
	asking  chan struct{} // closed when the question under way is over; nil: none is
	answers bool
	silent  bool // it did not answer in time
	losses  int  // of connections, in place of an answer
}

func newEndProbe(d *Streams, to *backend.Backend) *endProbe {
	return &endProbe{dialect: d, to: to}
}

// await returns whether the handler answers. Where that is not known, the caller's event is the question if nobody else's is; it must call over then.
func (p *endProbe) await() (answers, mine bool) {
	for {
		p.mu.Lock()
		asking := p.asking
		switch {
		case p.answers || p.silent || p.losses >= probeLosses:
			defer p.mu.Unlock()
			return p.answers && p.losses < probeLosses, false
		case asking == nil:
			p.asking = make(chan struct{})
			p.mu.Unlock()
			return false, true
		}
		p.mu.Unlock()
		<-asking
	}
}

// send delivers an event on a stream of its own and returns when it was answered, or nil when the answer takes so long that the handler counts as one that
// does not answer. The error is that of a [callback].
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
			err = status.Error(codes.DeadlineExceeded, "connecting takes too long")
		}
		cancel()
		late.Stop()
		return via.caller.Failed(p.to, via.name, err, true)
	}
	late.Reset(probeTimeout)
	answered := make(chan error, 1)
	release := p.to.Gate().Occupy() // it stays open for long where the handler does not answer
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

// finish ends the question.
func (p *endProbe) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.asking)
	p.asking = nil
}

// answered reports whether the handler has answered.
func (p *endProbe) answered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answers
}

// learn takes the answer. Any will do, an error too: it comes because the stream ended.
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

// giveUp takes the handler for one that does not answer, until it does.
func (p *endProbe) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.answers {
		p.silent = true
		p.dialect.caller.Log.Warn("the handler does not answer the end of a stream: its connections share streams, and events are not acknowledged",
			"backend", p.to.Addr(), "check", "that its methods return EmptySuccess when the gateway ends a stream")
	}
}

// retry has a handler that did not answer asked once more: it was lost, and another version may be back.
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
