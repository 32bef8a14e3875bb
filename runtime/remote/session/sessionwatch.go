package session

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/runtime/remote/target"
)

const (
	longestTick  = time.Second // between two looks at what takes too long, at most
	lookedAtOnce = 500         // connections
)

// watch finds, a few times in each timeout, what took too long.
func (s *Session) watch() {
	tick := min(s.timeout/8, longestTick)
	if s.onFailure != target.OnFailureClose {
		tick = min(tick, s.patience/4)
	}
	ticker := time.NewTicker(max(tick, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.check()
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Session) check() {
	s.mu.Lock()
	lines := slices.Collect(maps.Values(s.lines))
	s.mu.Unlock()
	for _, l := range lines {
		l.moveConns()
		l.expire()
		l.checkLate()
	}
}

// checkLate closes connections whose handler is late, and asks a silent handler whether it is there.
func (l *line) checkLate() {
	s := l.session
	s.mu.Lock()
	live, now := l.live, s.now()
	var late []*conn
	looked := 0
	for _, c := range s.open {
		if looked++; looked%lookedAtOnce == 0 { // let events and commands pass
			s.mu.Unlock()
			s.mu.Lock()
		}
		switch {
		case c.line != l || !c.overdue(now):
		case c.err == nil:
			late = append(late, c)
		case c.ended:
			c.drop()
		}
	}
	s.mu.Unlock()
	if live != nil {
		live.checkAlive()
	}
	if len(late) > 0 {
		s.fail(late, l.to, status.Error(codes.DeadlineExceeded, fmt.Sprintf("a callback takes longer than %v", s.timeout)))
	}
}
