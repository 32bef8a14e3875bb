package target

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

func TestFailureLogIsRateLimitedForEachReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := Target{Log: slog.New(slog.NewTextHandler(&out, nil))}
		fail := func(reason gateway.CloseReason, times int) {
			for range times {
				l.Warn(reason, errors.New("broken"), "it")
			}
		}
		fail(gateway.ReasonHandlerUnavailable, 100)
		fail(gateway.ReasonHandlerTimeout, 1)
		time.Sleep(failureLogInterval)
		fail(gateway.ReasonHandlerUnavailable, 2)

		var got []string
		for line := range strings.Lines(out.String()) {
			_, rest, _ := strings.Cut(line, "reason=")
			got = append(got, strings.TrimSpace(rest))
		}
		want := "handler_unavailable error=broken check=it suppressed=0\n" +
			"handler_timeout error=broken check=it suppressed=0\n" +
			"handler_unavailable error=broken check=it suppressed=99"
		if s := strings.Join(got, "\n"); s != want {
			t.Errorf("got:\n%s\nwant:\n%s", s, want)
		}
	})
}
