package rollout

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// codeMappings counts the mappings of compiled code.
func codeMappings(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	must(t, err)
	n := 0
	for line := range strings.Lines(string(maps)) {
		if f := strings.Fields(line); len(f) == 5 && strings.Contains(f[1], "x") { // without a file
			n++
		}
	}
	return n
}

// Replaced versions leave no instance and no compiled code behind.
func TestVersionsLeaveNothing(t *testing.T) {
	m, err := New(Config{Name: "test", Logger: quiet, Guests: guestMetrics})
	must(t, err)
	var before int
	const swaps = 20
	for i := range swaps {
		swap(t, m, variant(t, "scenario", fmt.Sprint(i)), SwapOptions{Guard: Guard{Period: time.Nanosecond}})
		d := gatewaytest.Connect(t, m)
		must(t, d.Receive("hello"))
		leave(t, d)
		if i == 0 {
			before = codeMappings(t)
		}
	}
	eventually(t, "one instance", func() bool { return instances(t) == 1 })
	eventually(t, "no more code than of a few versions", func() bool {
		runtime.GC() // the library frees code when it is collected
		return codeMappings(t) <= before+3
	})
	must(t, m.Close(t.Context()))
	if n := instances(t); n != 0 {
		t.Errorf("%d instances are left", n)
	}
}
