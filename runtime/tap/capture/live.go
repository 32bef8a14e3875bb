package capture

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// Summary describes a capture.
type Summary struct {
	Connections int   // that began while it ran
	Bytes       int64 // written
}

func (s Summary) String() string {
	return fmt.Sprintf("%d connections, %d bytes", s.Connections, s.Bytes)
}

// Capture writes the next connections of the point to w, each from its beginning: the number that connections says, or
// any number if it is 0. ready is called once the capture has begun. Capture returns when these connections have ended,
// when ctx is done (open connections are cut there), or when w fails.
func (p *Point) Capture(ctx context.Context, w io.Writer, connections int, ready func()) (Summary, error) {
	l := &liveCapture{wanted: connections, finished: make(chan struct{})}
	l.stream = newStream(p.header(), func() (io.WriteCloser, error) { return nopCloser{w}, nil }, 0, p.cfg.Logger,
		func(n int) {
			p.counted(n)
			l.wrote(n)
		})
	l.stream.whenBroken(l.finish)
	err := p.add(l)
	if err == nil {
		ready()
		select {
		case <-ctx.Done():
		case <-l.finished:
		}
		p.remove(l)
	}
	if failed := l.stream.end(); err == nil {
		err = failed
	}
	return l.summary(), err
}

// liveCapture is a capture on request.
type liveCapture struct {
	stream   *stream
	wanted   int // 0: any number
	finished chan struct{}
	once     sync.Once

	mu    sync.Mutex // guards the fields below
	begun int
	ended int
	bytes int64
}

func (l *liveCapture) finish() { l.once.Do(func() { close(l.finished) }) }

func (l *liveCapture) attach(s *session) (*stream, uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wanted > 0 && l.begun == l.wanted {
		return nil, 0
	}
	number, ok := l.stream.join(s)
	if !ok {
		return nil, 0
	}
	l.begun++
	return l.stream, number
}

// left counts a connection whose capture has ended.
func (l *liveCapture) left() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended++; l.wanted > 0 && l.ended == l.wanted {
		l.finish()
	}
}

func (l *liveCapture) wrote(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes += int64(n)
}

func (l *liveCapture) summary() Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Summary{Connections: l.begun, Bytes: l.bytes}
}

// nopCloser is a writer that its owner closes.
type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
