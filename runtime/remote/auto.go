package remote

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/internal/backoff"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/callback"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/internal/probe"
	"github.com/exgate/exgate/runtime/remote/target"
)

// How often a handler that cannot be asked is asked again.
const (
	firstQueryPause   = 100 * time.Millisecond
	longestQueryPause = 3 * time.Second
	mostLosses        = 2 // connections that the question may cost
)

type newHandler = func(gateway.ConnectionAdapter) gateway.ConnectionHandler

// auto finds out the dialect of a handler: at the start, by questions that no handler's method sees, and again after a call that the handler does not know.
// Where the server does not tell, the first event of the next connection is the question: see [firstEvent]. Connections that come meanwhile wait for the
// answer as for that of an event, with what the client does about failures. A handler that was lost over a question twice is asked none: its first event
// tells.
type auto struct {
	target *target.Target
	caller *callback.Caller
	speak  func(Dialect) (newHandler, error)
	log    *slog.Logger
	ctx    context.Context // ends with the client
	stop   context.CancelFunc
	tasks  sync.WaitGroup
	lost   chan struct{} // has a value after forget

	mu            sync.Mutex // guards the fields below
	found         *speaker
	newHandlers   map[Dialect]newHandler // of dialects that were found before
	query         *query                 // nil where nobody asks
	firstUnderWay chan struct{}          // closed when the first event under way was answered; nil: none is
	losses        int                    // of the connection, over questions
}

// speaker is a dialect that was found.
type speaker struct {
	dialect    Dialect
	newHandler newHandler
}

// query is one attempt, for all who wait for it.
type query struct {
	done chan struct{}
	err  error // set before done is closed
}

func newAuto(c *Client) *auto {
	a := &auto{
		target: c.target, caller: c.caller, speak: c.speak, log: c.target.Log, lost: make(chan struct{}, 1), newHandlers: make(map[Dialect]newHandler),
	}
	a.ctx, a.stop = context.WithCancel(context.Background())
	return a
}

// start asks the handler in the background whenever its dialect is not known.
func (a *auto) start() { a.tasks.Go(a.run) }

// close ends the asking.
func (a *auto) close() {
	a.stop()
	a.tasks.Wait()
}

func (a *auto) run() {
	pause := firstQueryPause
	for {
		if err := a.queryAny(); err != nil {
			if !backoff.Sleep(a.ctx, pause) {
				return
			}
			pause = min(2*pause, longestQueryPause)
			continue
		}
		pause = firstQueryPause
		select { // where the server did not tell, a connection's first event asks
		case <-a.lost:
		case <-a.ctx.Done():
			return
		}
	}
}

// queryAny asks the backend that a new connection would get.
func (a *auto) queryAny() error {
	pin := a.target.Pool.Pin()
	defer pin.Release()
	ctx, cancel := context.WithTimeout(a.ctx, a.target.Timeout)
	defer cancel()
	to, err := pin.Backend(ctx)
	if err == nil {
		err = a.find(to)
	}
	if err != nil && a.ctx.Err() == nil {
		reason, check := a.diagnose(err)
		a.target.Warn(reason, err, check)
	}
	return err
}

// diagnose is the close reason for a failed asking, and what a person should check.
func (a *auto) diagnose(err error) (gateway.CloseReason, string) {
	var none *probe.NotServedError
	if errors.As(err, &none) {
		return gateway.ReasonHandlerFailed, DialectAuto.unimplemented()
	}
	return gateway.ReasonHandlerUnavailable, "that the handler runs and listens on this address; its dialect is asked for until it answers"
}

// find waits until the dialect is known or only an event can tell, and asks for it unless somebody does already.
func (a *auto) find(to *backend.Backend) error {
	a.mu.Lock()
	if a.found != nil || a.losses >= mostLosses {
		a.mu.Unlock()
		return nil
	}
	current := a.query
	if current == nil {
		current = &query{done: make(chan struct{})}
		a.query = current
		a.tasks.Go(func() { a.runQuery(to, current) })
	}
	a.mu.Unlock()
	<-current.done
	return current.err
}

func (a *auto) runQuery(to *backend.Backend, current *query) {
	connected := to.Ready()
	f, err := probe.FindSession(a.ctx, to.RPC())
	a.mu.Lock()
	defer a.mu.Unlock()
	switch code := status.Code(err); {
	case code == codes.OK:
		a.losses = 0
	case code == codes.PermissionDenied, code == codes.Unauthenticated: // of the question: whether events are refused too, the first one tells
		f, err = probe.Finding{}, nil
	case connected && code == codes.Unavailable && a.ctx.Err() == nil:
		if a.losses++; a.losses == mostLosses {
			a.log.Warn("the handler was lost when it was asked for its dialect: the first event asks", "check", "dialect: set it if the handler speaks session")
		}
	}
	if err == nil && f.Dialects != nil {
		_, err = a.learn(f)
	}
	a.query = nil
	current.err = err
	close(current.done)
}

// learn takes the first dialect of f; the caller holds mu.
func (a *auto) learn(f probe.Finding) (*speaker, error) {
	d := Dialect(f.Dialects[0])
	h, err := a.newHandlerFor(d)
	if err != nil {
		return nil, err
	}
	a.found = &speaker{dialect: d, newHandler: h}
	a.log.Info("found the handler's dialect", "dialect", string(d), "by", f.How, "served", strings.Join(f.Dialects, " "))
	return a.found, nil
}

// newHandlerFor returns what makes handlers in dialect d; the caller holds mu.
func (a *auto) newHandlerFor(d Dialect) (newHandler, error) {
	if a.newHandlers[d] == nil {
		speaker, err := a.speak(d)
		if err != nil {
			return nil, err
		}
		a.newHandlers[d] = speaker
	}
	return a.newHandlers[d], nil
}

func (a *auto) lockedNewHandlerFor(d Dialect) (newHandler, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.newHandlerFor(d)
}

// awaitFirst returns the dialect, or nil where the caller's event is to find it, which ends with tried. It waits for other events that are to find it.
func (a *auto) awaitFirst() *speaker {
	for {
		a.mu.Lock()
		found, trying := a.found, a.firstUnderWay
		if found == nil && trying == nil {
			a.firstUnderWay = make(chan struct{})
		}
		a.mu.Unlock()
		if found != nil || trying == nil {
			return found
		}
		<-trying
	}
}

func (a *auto) firstDone() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.firstUnderWay)
	a.firstUnderWay = nil
}

// foundBy notes that an event was taken in dialect d.
func (a *auto) foundBy(d Dialect) *speaker {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, _ := a.learn(probe.Finding{Dialects: []string{string(d)}, How: "its answer to the first event"}) // d has a speaker
	return s
}

// retryQuery is called when no dialect took the first event.
func (a *auto) retryQuery() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.losses = 0
}

// forget is called after a call that the handler did not know, or could not be reached for: it may have been replaced by one of another dialect.
func (a *auto) forget(s *speaker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.found != s {
		return
	}
	a.found = nil
	a.log.Info("asking for the handler's dialect again: it does not answer in it any longer", "dialect", string(s.dialect))
	select {
	case a.lost <- struct{}{}:
	default:
	}
}

func (a *auto) current() *speaker {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.found
}

// Invoke makes the asking an event, which waits and fails as events do. It is an [invoker]. Without an error, the dialect is known, or the server does not
// tell it.
func (a *auto) Invoke(to *backend.Backend, _ proto.Message) error {
	err := a.find(to)
	var none *probe.NotServedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &none):
		err = status.Error(codes.Unimplemented, none.Error())
	case status.Code(err) == codes.Unknown:
		err = status.Error(codes.Unavailable, err.Error())
	}
	return a.target.Failed(to, "asking for the dialect", err, true)
}
