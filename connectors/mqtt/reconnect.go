package mqtt

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/runtime/gateway"
)

const (
	lossWindow         = 10 * time.Second // in which lossLimit losses mean that someone else has the client id
	lossLimit          = 3
	longestDelay       = 30 * time.Second
	filtersPerPacket   = 100
	resubscribeTimeout = time.Minute
)

var errNoAck = errors.New("the broker did not acknowledge a publish")

// linkLost is called for every end of a link, more than once for some. Only the session's own link counts.
func (s *Session) linkLost(l *link, reason byte, cause error) {
	s.mu.Lock()
	l.dead = true
	if s.link != l {
		s.mu.Unlock()
		return
	}
	s.link = nil
	if s.isDiscarded(reason) {
		told := s.end(gone)
		s.mu.Unlock()
		told.tell()
		s.down.SessionLost(gateway.ReasonDiscarded.With("%v", cause))
		return
	}
	told := s.suspend()
	s.reconnect()
	s.mu.Unlock()
	s.connector.warnDown(cause)
	told.tell()
}

// isDiscarded counts the loss and reports whether another client has the client id: the broker says so, or cuts the connection without
// a word again and again, as mosquitto 2.0.11 does. It needs mu.
func (s *Session) isDiscarded(reason byte) bool {
	label, discarded := lossNetwork, false
	switch {
	case reason == packets.DisconnectSessionTakenOver:
		label, discarded = lossTakenOver, true
	case reason != 0:
		label = lossBroker
	case s.lostTooOften(time.Now()):
		label, discarded = lossRepeated, true
	}
	s.connector.metrics.losses.WithLabelValues(label).Inc()
	return discarded
}

func (s *Session) lostTooOften(now time.Time) bool {
	s.losses = slices.DeleteFunc(s.losses, func(t time.Time) bool { return now.Sub(t) > lossWindow })
	s.losses = append(s.losses, now)
	return len(s.losses) >= lossLimit
}

// suspend queues what was sent and not answered again, and drops the QoS 0 that had no room. It needs mu.
func (s *Session) suspend() (told outcomes) {
	for _, c := range s.queue.takeQoS0() {
		s.connector.metrics.dropped.WithLabelValues(dropDown).Inc()
		told.add(c, isDown)
	}
	var sent []*call
	for _, c := range s.waiting {
		if c.kind != resubscribing {
			sent = append(sent, c)
		}
	}
	slices.SortFunc(sent, func(a, b *call) int { return a.deadline.Compare(b.deadline) })
	s.queue.putBack(sent)
	s.waiting = nil
	return told
}

// reconnect needs mu.
func (s *Session) reconnect() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.connector.workers.Go(func() {
		defer stop()
		s.connectAgain(ctx)
	})
}

func (s *Session) connectAgain(ctx context.Context) {
	for attempt := 0; ; attempt++ {
		if !pause(ctx, s.connector.delay(attempt)) {
			return
		}
		l, err := s.connector.open(ctx, s, false)
		if err == nil {
			s.resume(l)
			return
		}
		var refused *gateway.ResultError
		if errors.As(err, &refused) && refused.Result.Code == gateway.CodePermissionDeny {
			s.lose(gateway.ReasonUpstreamLost.With("%v", err))
			return
		}
		s.connector.warnDown(err)
	}
}

func (c *Connector) delay(attempt int) time.Duration {
	d := c.cfg.ReconnectDelay
	for range attempt {
		d = min(2*d, max(longestDelay, c.cfg.ReconnectDelay))
	}
	return d + rand.N(d) //nolint:gosec // a pause is no secret
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// resume goes on over a new link: first what was subscribed, then the publish that is not acknowledged, then what waits.
func (s *Session) resume(l *link) {
	s.mu.Lock()
	switch {
	case s.ended:
		s.mu.Unlock()
		l.disconnect(s.connector.cfg.SessionExpiry > 0)
		return
	case l.dead:
		s.reconnect()
		s.mu.Unlock()
		return
	}
	s.link = l
	s.connector.metrics.reconnects.Inc()
	for filters := range slices.Chunk(s.filters, filtersPerPacket) {
		c := &call{kind: resubscribing, filters: slices.Clone(filters)}
		s.send(c)
		c.deadline = time.Now().Add(resubscribeTimeout)
	}
	s.resend()
	told := s.pump()
	s.mu.Unlock()
	told.tell()
}

// resend sends the unacknowledged publish again: with its packet id where the broker still has the session, as a new message where
// not. It needs mu.
func (s *Session) resend() {
	c := s.publish
	if c == nil {
		return
	}
	s.connector.metrics.resent.Inc()
	if s.link.present && c.released {
		c.deadline = time.Now().Add(s.connector.cfg.AckTimeout)
		s.link.release(c.id)
		return
	}
	if !s.link.present {
		c.released = false
		c.id = s.nextID()
	}
	s.sendPublish(c, s.link.present)
}

// lose ends the session for a reason that is not the device's own.
func (s *Session) lose(reason gateway.CloseReason) {
	if s.leave() {
		s.down.SessionLost(reason)
	}
}
