package memory

import (
	"runtime/debug"
	"testing"
)

func TestAvailable(t *testing.T) {
	before := Available()
	if before <= 0 {
		t.Fatalf("%d bytes", before)
	}
	old := debug.SetMemoryLimit(1 << 20)
	defer debug.SetMemoryLimit(old)
	if got := Available(); got != 1<<20 {
		t.Errorf("with GOMEMLIMIT=1MiB: %d", got)
	}
}
