package dial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// fakeSocket is a connection that ends after a while, or when it is closed.
type fakeSocket struct {
	lasts time.Duration
	done
}

func (s *fakeSocket) Info() gateway.ConnInfo { return gateway.ConnInfo{} }

func (s *fakeSocket) Serve(c *gateway.Conn) {
	select {
	case <-time.After(s.lasts):
		c.ReadEnded(io.EOF)
	case <-s.closed():
		c.ReadEnded(io.EOF)
	}
}

func (s *fakeSocket) TryWrite(b []byte) (int, error)   { return len(b), nil }
func (s *fakeSocket) Write(b []byte) (int, error)      { return len(b), nil }
func (s *fakeSocket) SetWriteDeadline(time.Time) error { return nil }
func (s *fakeSocket) CloseWrite(_ time.Duration) error { return s.Close() }
func (s *fakeSocket) Close() error                     { s.done.close(); return nil }
func (s *fakeSocket) Abort() error                     { return s.Close() }

// played is a listener whose targets are played by a function.
type played struct {
	*Listener
	mu    sync.Mutex
	dials map[string][]time.Duration // since the beginning
	stop  func()
}

func play(t *testing.T, cfg Config, connect func(d *dialer) (socket, error)) *played {
	t.Helper()
	cfg.Name = "l"
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := New(cfg)
	must(t, err)
	p := &played{Listener: l, dials: make(map[string][]time.Duration)}
	began := time.Now()
	l.connect = func(d *dialer) (socket, error) {
		p.mu.Lock()
		p.dials[d.Name] = append(p.dials[d.Name], time.Since(began))
		p.mu.Unlock()
		return connect(d)
	}
	gw := gateway.New(gateway.Config{Logger: cfg.Logger})
	must(t, gw.SetHandler("h", listenertest.NewEcho(listenertest.Send)))
	must(t, gw.SetConnector("c", listenertest.NoUpstream{}))
	must(t, gw.AddListener("l", l, gateway.ListenerConfig{
		Handler: "h", Connector: "c", Limits: gateway.Limits{IdleTimeout: time.Hour, AuthDeadline: time.Hour},
	}))
	p.stop = func() { must(t, errors.Join(gw.Shutdown(context.Background()), l.End(context.Background()))) }
	return p
}

func (p *played) of(name string) []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]time.Duration(nil), p.dials[name]...)
}

// A target that refuses, or accepts and closes at once, is dialed after pauses that double up to the longest.
func TestBackoff(t *testing.T) {
	for name, connect := range map[string]func(*dialer) (socket, error){
		"refuses":        func(*dialer) (socket, error) { return nil, syscall.ECONNREFUSED },
		"closes at once": func(*dialer) (socket, error) { return &fakeSocket{0, newDone()}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := play(t, Config{Targets: Parse([]string{"a h:1"})}, connect)
				time.Sleep(10 * time.Minute)
				p.stop()
				dials, pause := p.of("a"), time.Second
				if len(dials) < 12 || len(dials) > 26 {
					t.Errorf("%d dials in 10 minutes: %v", len(dials), dials)
				}
				for i := 1; i < len(dials); i++ {
					if waited := dials[i] - dials[i-1]; waited < pause/2 || waited > pause {
						t.Errorf("pause %d is %s: want %s to %s", i, waited, pause/2, pause)
					}
					pause = min(2*pause, time.Minute)
				}
			})
		})
	}
}

// Only a connection that lasted longer than the longest pause resets the pause.
func TestBackoffIsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		p := play(t, Config{Targets: Parse([]string{"a h:1"})}, func(*dialer) (socket, error) {
			if n++; n <= 8 {
				return nil, syscall.ECONNREFUSED
			}
			return &fakeSocket{2 * time.Minute, newDone()}, nil
		})
		time.Sleep(20 * time.Minute)
		p.stop()
		dials := p.of("a")
		for i := 9; i < len(dials); i++ {
			if waited := dials[i] - dials[i-1] - 2*time.Minute; waited < time.Second/2 || waited > time.Second {
				t.Errorf("dial %d came %s after the connection ended", i, waited)
			}
		}
	})
}

// Ten thousand targets that never answer: attempts are bounded, are spread, and leave half of the slots to a target
// that was connected.
func TestTenThousandDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := []string{"up h:1"}
		for i := range MaxTargets - 1 {
			list = append(list, fmt.Sprintf("down-%d h:1", i))
		}
		var under, most atomic.Int64 // attempts to targets that are down
		p := play(t, Config{Targets: Parse(list), MaxDialing: 100}, func(d *dialer) (socket, error) {
			if d.Name == "up" {
				return &fakeSocket{5 * time.Minute, newDone()}, nil
			}
			n := under.Add(1)
			defer under.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			ctx, cancel := context.WithTimeout(d.ctx, d.listener.cfg.ConnectTimeout)
			defer cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		})
		time.Sleep(8 * time.Minute)
		p.stop()
		if n := most.Load(); n != 50 {
			t.Errorf("%d attempts under way at most, want 50", n)
		}
		up := p.of("up")
		if len(up) < 2 || up[1]-up[0] > 5*time.Minute+2*time.Second {
			t.Errorf("the target that answers was dialed at %v", up)
		}
	})
}

// A changed list touches only what changed, a wrong line keeps what its target was, and a target has one connection at
// a time.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		open, twice := map[string]int{}, false
		counts := prometheus.NewRegistry()
		p := play(t, Config{Targets: Parse([]string{"a h:1", "b h:1", "c h:1", "d h:1"}), Metrics: NewMetrics(counts)},
			func(d *dialer) (socket, error) {
				mu.Lock()
				defer mu.Unlock()
				open[d.Name]++
				twice = twice || open[d.Name] > 1
				s := &fakeSocket{time.Hour, newDone()}
				freed, name := s.done.close, d.Name
				s.done.close = sync.OnceFunc(func() {
					mu.Lock()
					open[name]--
					mu.Unlock()
					freed()
				})
				return s, nil
			})
		synctest.Wait()
		p.use(Parse([]string{"a h:1", "b h:2", "d", "e h:1"}))
		synctest.Wait()
		for name, dials := range map[string]int{"a": 1, "b": 2, "c": 1, "d": 1, "e": 1} {
			if got := p.of(name); len(got) != dials {
				t.Errorf("%s was dialed at %v, want %d times", name, got, dials)
			}
		}
		mu.Lock()
		if open["c"] != 0 || open["d"] != 1 || open["a"] != 1 || open["b"] != 1 {
			t.Errorf("open: %v", open)
		}
		mu.Unlock()
		if up := gatewaytest.Metric(t, counts, "exgate_dial_targets_up"); up != 4 {
			t.Errorf("%v targets are up, want 4", up)
		}
		for range 20 { // gone and back at once
			p.use(Parse([]string{"a h:1", "d h:1"}))
			p.use(Parse([]string{"a h:1", "b h:2", "d h:1"}))
		}
		synctest.Wait()
		p.stop()
		if twice {
			t.Error("a target had two connections at a time")
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.ending) != 0 || len(p.sockets) != 0 {
			t.Errorf("%d and %d are left", len(p.ending), len(p.sockets))
		}
	})
}

// What waits for longer than End may take is aborted: the target is free when it returns.
func TestEndAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stubborn{fakeSocket{time.Hour, newDone()}}
		p := play(t, Config{Targets: Parse([]string{"a h:1"})}, func(*dialer) (socket, error) { return s, nil })
		synctest.Wait()
		must(t, p.Close())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		must(t, p.Attached(ctx))
		if err := p.End(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		select {
		case <-s.closed():
		default:
			t.Error("the socket is open")
		}
		synctest.Wait()
		p.stop()
	})
}

// stubborn is a socket whose peer never ends.
type stubborn struct{ fakeSocket }

func (s *stubborn) CloseWrite(time.Duration) error { return nil }

func (s *stubborn) Serve(c *gateway.Conn) {
	<-s.closed()
	c.ReadEnded(io.EOF)
}
