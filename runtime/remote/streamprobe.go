package remote

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/runtime/remote/internal/backend"
)

const (
	probePatience = time.Second // how long the first connections wait to learn whether the handler answers the end of a stream
	probeTimeout  = time.Minute // after which it is asked again
)

// endProbe finds out whether a handler answers the end of a stream: it ends one that never had an event. With that answer an event can have a
// stream of its own. Handlers in the wild leave it out, since EMQX never ends a stream.
type endProbe struct {
	dialect *streamDialect
	to      *backend.Backend
	path    string

	mu     sync.Mutex // guards the fields below
	asked  *endQuestion
	yes    bool
	silent bool // it did not answer in time
}

// endQuestion is one empty stream.
type endQuestion struct {
	ended chan struct{} // closed when the stream was ended, or could not be opened
	done  chan struct{} // closed at its answer
}

func newEndProbe(d *streamDialect, to *backend.Backend) *endProbe {
	return &endProbe{dialect: d, to: to, path: d.each[methodCreated].path}
}

// answers reports whether the handler answers, as far as is known. It waits for the first answer for probePatience, from when the backend is
// connected. A handler that cannot be asked counts as one that answers: the event itself will tell what is wrong.
func (p *endProbe) answers() bool {
	q, known := p.ask()
	if known {
		return true
	}
	if q == nil {
		return false
	}
	<-q.ended
	timer := time.NewTimer(probePatience)
	defer timer.Stop()
	select {
	case <-q.done:
		return true
	case <-timer.C:
		p.giveUp()
		return false
	}
}

// ask returns the question under way, or nil where it need not be waited for.
func (p *endProbe) ask() (q *endQuestion, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.yes {
		return nil, true
	}
	if p.asked == nil {
		q := &endQuestion{ended: make(chan struct{}), done: make(chan struct{})}
		p.asked = q
		p.dialect.tasks.Go(func() { p.put(q) })
	}
	if p.silent {
		return nil, false
	}
	return p.asked, false
}

// giveUp takes the handler for one that does not answer, until it does.
func (p *endProbe) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.silent && !p.yes {
		p.silent = true
		p.dialect.client.failures.log.Warn("the handler does not answer the end of a stream: its connections share streams, and events are not acknowledged",
			"backend", p.to.Addr(), "check", "that its methods return EmptySuccess when the gateway ends a stream")
	}
}

// put ends an empty stream and waits for its answer. Any answer will do, an error too: it comes because the stream ended.
func (p *endProbe) put(q *endQuestion) {
	ctx, cancel := context.WithTimeout(p.dialect.end, probeTimeout)
	defer cancel()
	stream, err := p.to.RPC().NewStream(ctx, &sharedEvents, p.path, grpc.ForceCodecV2(eventCodec{}))
	if err == nil {
		err = stream.CloseSend()
	}
	close(q.ended)
	if err == nil {
		err = awaitEnd(stream)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = nil
	p.yes = ctx.Err() == nil && status.Code(err) != codes.Unavailable
	close(q.done)
}
