package callback

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/internal/backoff"
	"github.com/exgate/exgate/runtime/remote/target"
)

// sharedEvents is a call that connections share. The answer may have any number of messages, as that of oneEvent.
var sharedEvents = grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

// run writes events until quit or until the client is closed.
func (s *sharedStream) run() {
	defer s.cancel()
	for {
		select {
		case e := <-s.queue:
			e.written <- s.write(e)
		case err := <-s.endedc:
			s.ended(err)
		case <-s.done:
			s.finish()
			return
		case <-s.end.Done():
			return
		}
	}
}

// write puts an event into the stream. Where the stream has ended before it took the event, the next one gets it.
func (s *sharedStream) write(e *sharedEvent) error {
	var err error
	for range 2 {
		s.checkEnded()
		switch {
		case s.use.single.Load():
			return errSingle
		case e.ctx.Err() != nil:
			return status.FromContextError(e.ctx.Err()).Err()
		}
		if err = s.open(); err != nil {
			return err
		}
		if s.stream.SendMsg(e.data) == nil {
			s.written.add(e)
			s.watch()
			return nil
		}
		select {
		case err = <-s.endedc:
		case <-s.end.Done():
			return status.FromContextError(s.end.Err()).Err()
		}
		s.ended(err)
	}
	if err == nil {
		err = status.Error(codes.Unavailable, "the handler ends its streams before it reads them")
	}
	return err
}

// firstEventAlone is how long the first event of a method is alone in its stream, to see whether the handler ends the stream after it.
const firstEventAlone = 100 * time.Millisecond

// watch waits after the first event of a method that a backend gets.
func (s *sharedStream) watch() {
	if s.use.known.Swap(true) {
		return
	}
	timer := time.NewTimer(firstEventAlone)
	defer timer.Stop()
	select {
	case err := <-s.endedc:
		s.ended(err)
	case <-timer.C:
	case <-s.end.Done():
	}
}

// checkEnded takes note of an end that is there already.
func (s *sharedStream) checkEnded() {
	select {
	case err := <-s.endedc:
		s.ended(err)
	default:
	}
}

func (s *sharedStream) open() error {
	if s.stream != nil {
		return nil
	}
	line, err := s.to.Line()
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	stream, err := openStream(s.end, line.RPC, &sharedEvents, s.call.path)
	if err != nil {
		line.Release()
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- awaitEnd(stream) }()
	s.stream, s.endedc, s.release, s.opened = stream, ended, line.Release, time.Now()
	s.line.Store(&line)
	return nil
}

// finish ends the stream and waits for the handler's answer.
func (s *sharedStream) finish() {
	if s.stream == nil {
		return
	}
	defer s.release()
	_ = s.stream.CloseSend()
	if err := <-s.endedc; err != nil && s.end.Err() == nil {
		_ = s.caller.Failed(s.to, s.call.name, err, false)
	}
}

// ended is the end of a stream by the handler or its loss. What was written to it and not read, gRPC does not tell. A handler that ends a stream with
// OK after its first events is one that reads one event a stream: the others are sent again, and each event from then on has its own. After an error,
// the connections of the last events are closed.
func (s *sharedStream) ended(err error) {
	events, whole := s.written.take()
	s.stream, s.endedc = nil, nil
	s.release()
	if s.end.Err() != nil || target.IsUnprocessed(err) && whole && s.rewrite(events) {
		return
	}
	if status.Code(err) == codes.Unavailable {
		s.probe.retry()
	}
	s.caller.metrics.streamEnds.WithLabelValues(s.caller.Name, s.call.name, status.Code(err).String()).Inc()
	switch {
	case err != nil:
		s.fail(events, s.caller.Failed(s.to, s.call.name, err, false))
	case whole:
		s.sendSingly(events[min(1, len(events)):])
		s.use.single.Store(true)
	}
}

// rewrite writes events of a stream that the handler did not begin to another one, after a pause. It reports false where they have waited for too long.
func (s *sharedStream) rewrite(events []*sharedEvent) bool {
	if time.Since(s.opened) > target.SlowestRetry {
		s.pause = 0
	}
	s.pause = min(max(2*s.pause, firstRefusalPause), longestRefusalPause)
	if len(events) > 0 && time.Since(events[0].at)+s.pause > s.caller.Timeout || !backoff.Sleep(s.end, backoff.Jitter(s.pause)) || s.open() != nil {
		return false
	}
	s.caller.traffic.refused.Inc()
	for _, e := range events {
		_ = s.stream.SendMsg(e.data) // where it fails, the stream's end comes next
		s.written.add(e)
	}
	return true
}

// sendSingly sends events again, each on a stream of its own.
func (s *sharedStream) sendSingly(events []*sharedEvent) {
	for _, e := range events {
		err := s.call.send(s.to, e.data)
		if refused, ok := err.(*Refusal); ok { //nolint:errorlint // deliver returns it bare
			err = s.caller.Failed(s.to, refused.method, refused.err, true)
		}
		if err != nil {
			s.fail([]*sharedEvent{e}, err)
		}
	}
}

// fail closes the connections of events.
func (s *sharedStream) fail(events []*sharedEvent, failure error) {
	for _, e := range events {
		if time.Since(e.at) < s.caller.Timeout {
			e.conn.Post(func() error { return failure })
		}
	}
}
