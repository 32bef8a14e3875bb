package wasm

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// slow is an adapter on a busy machine: a call takes long, through no fault of the guest.
type slow struct{ *gatewaytest.Device }

func (slow) Resume() gateway.Result {
	time.Sleep(10 * time.Millisecond)
	return gateway.OK
}

// No clock ends a metered guest, however slow the machine is.
func TestNoClockEndsAMeteredGuest(t *testing.T) {
	resume := call(signature("exproto_v1", "resume"))
	module := importing("exproto_v1", "resume", slices.Repeat(resume, 40))
	for _, isolation := range []Isolation{IsolationShared, IsolationConnection} {
		e := engine(
			t,
			Config{Module: module, Shards: 1, Isolation: isolation, Limits: Limits{WallTime: 1, StartTime: 1}},
		)
		h, err := e.NewHandler(slow{gatewaytest.NewDevice()})
		must(t, err)
		must(t, h.OnSocketCreated(gatewaytest.Info))
		must(t, h.OnReceivedBytes([]byte("y")))
		must(t, h.OnSocketClosed(gateway.ReasonTCPClosed))
	}
}

// Each line over the rate is counted, without a check of the rate for each.
func TestPrintedLinesOverTheRateAreCounted(t *testing.T) {
	var log syncBuffer
	set := NewMetrics(prometheus.NewRegistry())
	e := engine(t, Config{
		Module: file(
			t,
			"echo",
		), Shards: 1, Metrics: set, Limits: Limits{LogLines: 1}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	g := newGuestLog(e, slog.Int("shard", 0))
	g.write(0, append(bytes.Repeat([]byte("a\n"), 1000), "begun"...))
	g.write(0, []byte(" and ended\n"))
	logged := strings.Count(log.String(), "msg=guest ")
	if logged < burstSeconds || logged > 2*burstSeconds {
		t.Errorf("%d lines are logged", logged)
	}
	if got := testutil.ToFloat64(set.dropped.WithLabelValues("test", droppedLogLine)); got != float64(1001-logged) {
		t.Errorf("%v lines are counted as dropped, and %d logged, of 1001", got, logged)
	}
}

// Random bytes from WASI are charged to the event.
func TestRandomNumbersAreCharged(t *testing.T) {
	set := NewMetrics(prometheus.NewRegistry())
	c := Config{Module: doing("random_get", 0, 150_000), Shards: 1, Limits: Limits{CallBytes: 100_000}, Metrics: set}
	must(t, gatewaytest.Connect(t, engine(t, c)).Receive(""))
	if got := testutil.ToFloat64(set.limits.WithLabelValues("test", limitCallBytes)); got != 1 {
		t.Errorf("the limit is reached %v times", got)
	}
}
