package callback

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/target"
)

// unansweredCloses are pending closes of a handler that never answers.
func unansweredCloses(t *testing.T) (q *pendingCloses, given *prometheus.CounterVec, add func(bytes int)) {
	t.Helper()
	given = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "given"}, []string{"why"})
	waiting := prometheus.NewGauge(prometheus.GaugeOpts{Name: "waiting"})
	q = newPendingCloses(func(*pendingClose) closeOutcome { return closeRetry }, slog.New(slog.DiscardHandler), waiting,
		given)
	pool, err := backend.New(backend.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return q, given, func(bytes int) {
		q.add(Delivery{Pin: pool.Pin()},
			event{request: &exproto.SocketClosedRequest{Conn: "c", Reason: strings.Repeat("x", bytes)}})
	}
}

func expectGiven(t *testing.T, given *prometheus.CounterVec, why string, want float64) {
	t.Helper()
	if n := testutil.ToFloat64(given.WithLabelValues(why)); n != want {
		t.Errorf("%v given up as %s, want %v", n, why, want)
	}
}

func TestPendingClosesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, given, add := unansweredCloses(t)
		add(1)
		add(1)
		time.Sleep(target.MaxPendingCloseAge - time.Second)
		expectGiven(t, given, target.UndeliveredOld, 0)
		time.Sleep(time.Second + target.LongestPause)
		expectGiven(t, given, target.UndeliveredOld, 2)
		if !q.empty() {
			t.Error("the queue is not empty")
		}
	})
}

func TestPendingClosesAreBounded(t *testing.T) {
	for _, test := range []struct{ bytes, add, full int }{
		{0, target.MaxPendingCloses + 3, 3},
		{1 << 20, 18, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			q, given, add := unansweredCloses(t)
			for range test.add {
				add(test.bytes)
			}
			expectGiven(t, given, target.UndeliveredFull, float64(test.full))
			begun := time.Now()
			q.close(t.Context())
			q.drop()
			add(1)
			expectGiven(t, given, target.UndeliveredShutdown, float64(test.add-test.full+1))
			expect := fmt.Sprint(target.CloseGrace)
			if took := fmt.Sprint(time.Since(begun)); took != expect {
				t.Errorf("closing took %s, want %s", took, expect)
			}
		})
	}
}
