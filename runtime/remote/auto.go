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

// The pause before a handler that could not be probed is probed again; it doubles each time.
const (
	firstProbePause   = 100 * time.Millisecond
	longestProbePause = 3 * time.Second
	mostLosses        = 2 // lost connections after which the handler is not probed any more
)

type newHandler = func(gateway.ConnectionAdapter) gateway.ConnectionHandler

// auto finds out the dialect of a handler: at the start, by probes that no method of the handler sees, and again after
// a call that the handler does not know. If the probe of a server is inconclusive, the first event of the next
// connection decides, see [firstEvent]. New connections wait for the result as for an event that waits for the handler.
// A handler that was lost twice while being probed is not probed again: its first event decides.
type auto struct {
	target      *target.Target
	caller      *callback.Caller
	constructor func(Dialect) (newHandler, error)
	log         *slog.Logger
	ctx         context.Context // ends with the client
	stop        context.CancelFunc
	tasks       sync.WaitGroup
	lost        chan struct{} // receives a value from forget

	mu            sync.Mutex // guards the fields below
	found         *knownDialect
	newHandlers   map[Dialect]newHandler // of the dialects found so far
	probing       *dialectProbe          // nil without a probe in progress
	firstUnderWay chan struct{}          // closed when the first event in progress is answered; nil if there is none
	losses        int                    // connections lost during probes
}

// knownDialect is a dialect that was found.
type knownDialect struct {
	dialect    Dialect
	newHandler newHandler
}

// dialectProbe is one probe, shared by everything that waits for it.
type dialectProbe struct {
	done chan struct{}
	err  error // set before done is closed
}

func newAuto(c *Client) *auto {
	a := &auto{
		target: c.target, caller: c.caller, constructor: c.constructor, log: c.target.Log, lost: make(chan struct{}, 1),
		newHandlers: make(map[Dialect]newHandler),
	}
	a.ctx, a.stop = context.WithCancel(context.Background())
	return a
}

// start probes the handler in the background whenever its dialect is unknown.
func (a *auto) start() { a.tasks.Go(a.run) }

// close ends the probes.
func (a *auto) close() {
	a.stop()
	a.tasks.Wait()
}

func (a *auto) run() {
	pause := firstProbePause
	for {
		if err := a.probeAny(); err != nil {
			if !backoff.Sleep(a.ctx, pause) {
				return
			}
			pause = min(2*pause, longestProbePause)
			continue
		}
		pause = firstProbePause
		select { // an inconclusive probe is not repeated: a connection's first event decides
		case <-a.lost:
		case <-a.ctx.Done():
			return
		}
	}
}

// probeAny probes the backend that a new connection would get.
func (a *auto) probeAny() error {
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

// diagnose returns the close reason for a failed probe, and what to check.
func (a *auto) diagnose(err error) (gateway.CloseReason, string) {
	var none *probe.NotServedError
	if errors.As(err, &none) {
		return gateway.ReasonHandlerFailed, DialectAuto.unimplemented()
	}
	return gateway.ReasonHandlerUnavailable, "that the handler runs and listens on this address; the gateway asks " +
		"it for its dialect until it answers"
}

// find waits until the dialect is known or only an event can decide. It begins a probe unless one is in progress.
func (a *auto) find(to *backend.Backend) error {
	a.mu.Lock()
	if a.found != nil || a.losses >= mostLosses {
		a.mu.Unlock()
		return nil
	}
	current := a.probing
	if current == nil {
		current = &dialectProbe{done: make(chan struct{})}
		a.probing = current
		a.tasks.Go(func() { a.runProbe(to, current) })
	}
	a.mu.Unlock()
	<-current.done
	return current.err
}

func (a *auto) runProbe(to *backend.Backend, current *dialectProbe) {
	connected := to.Ready()
	f, err := probe.FindSession(a.ctx, to.RPC())
	a.mu.Lock()
	defer a.mu.Unlock()
	switch code := status.Code(err); {
	case code == codes.OK:
		a.losses = 0
	// refused to the probe; whether events are refused too, the first one shows
	case code == codes.PermissionDenied, code == codes.Unauthenticated:
		f, err = probe.Finding{}, nil
	case connected && code == codes.Unavailable && a.ctx.Err() == nil:
		if a.losses++; a.losses == mostLosses {
			a.log.Warn("lost the handler while detecting its dialect; the first event will detect it",
				"check", "dialect: set it if the handler speaks session")
		}
	}
	if err == nil && f.Dialects != nil {
		_, err = a.learn(f)
	}
	a.probing = nil
	current.err = err
	close(current.done)
}

// learn adopts the first dialect of f; the caller holds mu.
func (a *auto) learn(f probe.Finding) (*knownDialect, error) {
	d := Dialect(f.Dialects[0])
	h, err := a.newHandlerFor(d)
	if err != nil {
		return nil, err
	}
	a.found = &knownDialect{dialect: d, newHandler: h}
	a.log.Info("detected the handler's dialect", "dialect", string(d), "by", f.How,
		"served", strings.Join(f.Dialects, " "))
	return a.found, nil
}

// newHandlerFor returns the constructor of handlers in dialect d; the caller holds mu.
func (a *auto) newHandlerFor(d Dialect) (newHandler, error) {
	if a.newHandlers[d] == nil {
		h, err := a.constructor(d)
		if err != nil {
			return nil, err
		}
		a.newHandlers[d] = h
	}
	return a.newHandlers[d], nil
}

func (a *auto) lockedNewHandlerFor(d Dialect) (newHandler, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.newHandlerFor(d)
}

// awaitFirst returns the dialect, or nil if the caller's event has to find it; the caller must then call firstDone. It
// waits for the first event of another connection.
func (a *auto) awaitFirst() *knownDialect {
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

// foundBy records that the handler accepted an event in dialect d.
func (a *auto) foundBy(d Dialect) *knownDialect {
	a.mu.Lock()
	defer a.mu.Unlock()
	// cannot fail: d has been used
	s, _ := a.learn(probe.Finding{Dialects: []string{string(d)}, How: "its answer to the first event"})
	return s
}

// allowProbes allows probes again. It is called if no dialect accepted the first event.
func (a *auto) allowProbes() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.losses = 0
}

// forget is called after a call that the handler did not know or that could not reach it: it may have been replaced by
// one of another dialect.
func (a *auto) forget(s *knownDialect) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.found != s {
		return
	}
	a.found = nil
	a.log.Info("the handler no longer answers in its dialect; detecting it again",
		"dialect", string(s.dialect))
	select {
	case a.lost <- struct{}{}:
	default:
	}
}

func (a *auto) current() *knownDialect {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.found
}

// Invoke implements [callback.Invoker] with a probe, so that it waits and fails like an event. Without an error, the
// dialect is known or the probe was inconclusive.
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
	return a.target.Failed(to, "detecting the dialect", err, true)
}
