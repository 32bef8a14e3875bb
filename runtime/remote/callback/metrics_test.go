package callback

import (
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestStreamEndsOfAnyCode requires a label for each code that gRPC defines and no others.
func TestStreamEndsOfAnyCode(t *testing.T) {
	m := NewMetrics(nil)
	m.streamEnded("h", "m", nil)
	m.streamEnded("h", "m", errors.New("lost"))
	for code := range codes.Code(1000) {
		m.streamEnded("h", "m", status.Error(code, "x"))
	}
	if n := testutil.CollectAndCount(m.streamEnds); n != int(codes.Unauthenticated)+1 {
		t.Errorf("%d labels", n)
	}
}
