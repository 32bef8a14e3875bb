package callback

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/internal/backoff"
	"github.com/exgate/exgate/runtime/remote/target"
)

// Limits on pending closes; target has those that all dialects share.
const (
	maxPendingBytes = 16 << 20
	maxCloseCalls   = 16 // concurrent calls
)

// pendingClose is the OnSocketClosed of a connection, and the event that it interrupted, that are still to be
// delivered.
type pendingClose struct {
	delivery Delivery
	events   []event
	size     int
	until    time.Time
}

// pendingCloses retries the closes of connections that have ended, until they are delivered or too old. A goroutine
// runs only while some are pending.
type pendingCloses struct {
	attempt     func(f *pendingClose) closeOutcome
	log         *slog.Logger
	waiting     prometheus.Gauge
	undelivered *prometheus.CounterVec // by reason
	stop        chan struct{}          // closed by close
	done        sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	queue   []*pendingClose
	count   int // in queue or being attempted
	size    int
	running bool
	closed  bool
}

func newPendingCloses(
	attempt func(*pendingClose) closeOutcome, log *slog.Logger, waiting prometheus.Gauge,
	undelivered *prometheus.CounterVec,
) *pendingCloses {
	return &pendingCloses{
		attempt: attempt, log: log, waiting: waiting, undelivered: undelivered, stop: make(chan struct{}),
	}
}

// closeOutcome is the result of an attempt.
type closeOutcome uint8

const (
	closeRetry closeOutcome = iota
	closeDelivered
	closeRefused // the handler answered with an error
)

// add queues the last events of a connection. It takes over the connection's pin.
func (q *pendingCloses) add(d Delivery, events ...event) {
	f := &pendingClose{delivery: d, events: events, until: time.Now().Add(target.MaxPendingCloseAge)}
	for _, e := range events {
		f.size += proto.Size(e.request)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		q.giveUp(f, target.UndeliveredShutdown)
		return
	case q.count >= target.MaxPendingCloses || q.size+f.size > maxPendingBytes:
		q.giveUp(f, target.UndeliveredFull)
		return
	}
	q.queue = append(q.queue, f)
	q.count++
	q.size += f.size
	q.waiting.Inc()
	if !q.running {
		q.running = true
		q.done.Go(q.run)
	}
}

// run retries until nothing is pending or the client is closed.
func (q *pendingCloses) run() {
	for pause := target.FirstPause; ; pause = min(2*pause, target.LongestPause) {
		timer := time.NewTimer(backoff.Jitter(pause))
		select {
		case <-timer.C:
		case <-q.stop:
			timer.Stop()
			return
		}
		if !q.attemptAll() {
			return
		}
	}
}

// attemptAll attempts each pending close once, several concurrently, and reports whether any remains.
func (q *pendingCloses) attemptAll() bool {
	q.mu.Lock()
	due := q.queue
	q.queue = nil
	q.mu.Unlock()
	next := make(chan *pendingClose)
	var callers sync.WaitGroup
	for range min(maxCloseCalls, len(due)) {
		callers.Go(func() {
			for f := range next {
				q.settle(f, q.attempt(f))
			}
		})
	}
	for _, f := range due {
		next <- f
	}
	close(next)
	callers.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running = len(q.queue) > 0
	return q.running
}

// settle removes f or queues it again.
func (q *pendingCloses) settle(f *pendingClose, fate closeOutcome) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if fate == closeRetry && time.Now().Before(f.until) {
		q.queue = append(q.queue, f)
		return
	}
	q.count--
	q.size -= f.size
	q.waiting.Dec()
	switch fate {
	case closeDelivered:
		f.done()
	case closeRefused:
		q.giveUp(f, target.UndeliveredRefused)
	case closeRetry:
		q.giveUp(f, target.UndeliveredOld)
	}
}

// giveUp counts a close that the handler will not receive.
func (q *pendingCloses) giveUp(f *pendingClose, why string) {
	q.undelivered.WithLabelValues(why).Inc()
	f.done()
}

func (f *pendingClose) done() { f.delivery.release(f.events[len(f.events)-1]) }

// attemptClose attempts to deliver a pending close.
func (c *Caller) attemptClose(f *pendingClose) closeOutcome {
	d := &f.delivery
	for {
		if !d.Pin.Ready(target.MoveAfter) {
			return closeRetry
		}
		err := d.attempt(f.events[0], waitForever)
		last := len(f.events) == 1
		switch {
		case err != nil && last && !target.Unreachable(err):
			return closeRefused
		case err != nil && (last || c.OnFailure.Retries(err)):
			return closeRetry
		case last:
			return closeDelivered
		}
		f.events = f.events[1:]
	}
}

// empty reports whether nothing is pending.
func (q *pendingCloses) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.running
}

// close waits briefly for pending closes and stops the retries. It returns when ctx ends at the latest.
func (q *pendingCloses) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, target.CloseGrace)
	defer cancel()
	for !q.empty() {
		if !backoff.Sleep(ctx, target.FirstPause) {
			break
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.stop)
	}
}

// drop gives up all pending closes. None is being delivered any more.
func (q *pendingCloses) drop() {
	q.done.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range q.queue {
		q.waiting.Dec()
		q.giveUp(f, target.UndeliveredShutdown)
	}
	if n := len(q.queue); n > 0 {
		q.log.Warn("cannot notify the handler of closed connections", "connections", n)
	}
	q.queue = nil
}
