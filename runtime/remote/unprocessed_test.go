package remote_test

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// live60 makes 60 devices talk, and expects each event of each to arrive once, in order, and no device to be closed.
func live60(t *testing.T, s *refusing, cfg remote.ClientConfig) *devices {
	t.Helper()
	const n = 60
	s.ledger = newLedger()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	cfg.Name, cfg.Addresses = "demo", []string{s.serve(t)}
	d := serveDevices(t, cfg, a)
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = d.connect(t)
	}
	tell(t, conns, "<a>")
	gatewaytest.Eventually(t, "all have spoken", func() bool { return s.size() == 3*n })
	tell(t, conns, "<b>")
	gatewaytest.Eventually(t, "all have spoken again", func() bool { return s.size() == 6*n })
	expectOpen(t, conns)
	for _, c := range conns {
		must(t, c.Close())
	}
	gatewaytest.Eventually(t, "all ends have come", func() bool { return s.count("closed") == n })
	s.each(func(conn string, events []string) {
		if got := strings.Join(events, " "); got != "created +<a> +<b> closed tcp_closed" {
			t.Errorf("%s: %s", conn, got)
		}
	})
	if failures := d.metric(t, "exgate_handler_failures_total"); failures != 0 {
		t.Errorf("%v failures", failures)
	}
	return d
}

// A handler that accepts few streams at a time is slower, and nothing else: whether it announces that or not, and
// although the last event waits far longer than a call may take.
func TestHandlerThatTakesFewStreams(t *testing.T) {
	for _, dialect := range []remote.Dialect{remote.DialectUnary, remote.DialectStream} {
		for _, policy := range []remote.OnFailure{remote.OnFailureClose, remote.OnFailureRetry, remote.OnFailureHold} {
			for _, takes := range []int{1, 2, 5, 100} {
				for _, announces := range []bool{true, false} {
					t.Run(fmt.Sprintf("%s %s %d %v", dialect, policy, takes, announces), func(t *testing.T) {
						t.Parallel()
						s := &refusing{takes: takes, announces: announces, works: 2 * time.Millisecond}
						d := live60(t, s, remote.ClientConfig{Dialect: dialect, OnFailure: policy})
						if most := s.most.Load(); most > int64(takes) {
							t.Errorf("%d streams at a time", most)
						}
						if n := d.metric(t, "exgate_handler_calls_refused_total"); announces && takes < 100 && n > 0 {
							t.Errorf("%v calls were refused although the handler said how many it takes", n)
						}
					})
				}
			}
		}
	}
}

// Time in the queue does not count as the handler's.
func TestQueueDoesNotCountAsTheCall(t *testing.T) {
	s := &refusing{takes: 1, announces: true, works: 25 * time.Millisecond}
	live60(t, s, remote.ClientConfig{CallTimeout: time.Second}) // less than the last of 60 waits
}

// Servers also refuse streams within their own limit, while they still clean up one that they have answered.
func TestHandlerThatRefusesNowAndThen(t *testing.T) {
	inDialects(t, func(t *testing.T, dialect remote.Dialect) {
		d := live60(t, &refusing{refuse: func(call int64) bool { return call%2 != 0 }},
			remote.ClientConfig{Dialect: dialect})
		if d.metric(t, "exgate_handler_calls_refused_total") == 0 {
			t.Error("nothing was refused")
		}
	}, remote.DialectUnary, remote.DialectStream)
}

// Calls that a GOAWAY excludes are made on the next connection.
func TestHandlerThatSendsGoAway(t *testing.T) {
	inDialects(t, func(t *testing.T, dialect remote.Dialect) {
		live60(t, &refusing{takes: 3, announces: true, goAway: func(call int64) bool { return call%7 == 0 }},
			remote.ClientConfig{Dialect: dialect})
	}, remote.DialectUnary, remote.DialectStream)
}

// A handler that refuses everything counts as unreachable after the time of a call.
func TestHandlerThatRefusesEverything(t *testing.T) {
	inDialects(t, func(t *testing.T, dialect remote.Dialect) {
		s := &refusing{ledger: newLedger(), refuse: func(int64) bool { return true }}
		a, _ := serveAdapter(t, remote.AdapterConfig{})
		d := serveDevices(t,
			remote.ClientConfig{
				Name: "demo", Addresses: []string{s.serve(t)}, Dialect: dialect, CallTimeout: 100 * time.Millisecond,
			}, a)
		expectEnd(t, d.connect(t))
		if n := d.metric(t, "exgate_handler_failures_total", "handler_unavailable"); n == 0 {
			t.Error("no failure was counted")
		}
	}, remote.DialectUnary, remote.DialectStream)
}

// A session whose stream was refused is opened again; no device is closed.
func TestSessionThatIsRefusedAtFirst(t *testing.T) {
	s := &refusing{ledger: newLedger(), refuse: func(call int64) bool { return call <= 4 }}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	d := serveDevices(t,
		remote.ClientConfig{
			Name: "demo", Addresses: []string{s.serve(t)}, Dialect: remote.DialectSession,
			OnFailure: remote.OnFailureClose,
		}, a)
	conn := d.connect(t)
	gatewaytest.Eventually(t, "the handler hears of the device", func() bool { return s.count("frame") > 0 })
	expectOpen(t, []net.Conn{conn})
	if n := d.metric(t, "exgate_handler_failures_total"); n != 0 {
		t.Errorf("%v failures", n)
	}
}

// A handler that passes on the status of a call of its own has processed the event.
func TestStatusThatOnlyReadsLikeARefusal(t *testing.T) {
	inDialects(t, func(t *testing.T, dialect remote.Dialect) {
		var forged atomic.Int64
		s := &refusing{ledger: newLedger(), status: func(int64) (string, string) {
			forged.Add(1)
			return "14", "stream terminated by RST_STREAM with error code: REFUSED_STREAM"
		}}
		a, _ := serveAdapter(t, remote.AdapterConfig{})
		d := serveDevices(t,
			remote.ClientConfig{
				Name: "demo", Addresses: []string{s.serve(t)}, Dialect: dialect, OnFailure: remote.OnFailureRetry,
			}, a)
		expectEnd(t, d.connect(t))
		if n := s.count("created"); n != 1 {
			t.Errorf("the event came %d times", n)
		}
	}, remote.DialectUnary, remote.DialectStream)
}
