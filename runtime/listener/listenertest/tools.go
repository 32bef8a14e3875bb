package listenertest

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// KeptByGo is what the runtime may keep for the next goroutines. A thousand handshakes that were not given back would
// be 11 MB.
const KeptByGo = 4 << 20

// Tool finds a program nobody here wrote. Without it the test is skipped, in CI it fails.
func Tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: apt-get install %s", name, debian)
	}
	t.Skipf("%s is missing: apt-get install %s", name, debian)
	return ""
}

// CompareEchoes has each of a number of connections play a part of b.N echoes against ours and against a plain server,
// in turns.
func CompareEchoes(b *testing.B, conns int, play func(each int) (ours, plain time.Duration)) {
	b.Helper()
	const turns = 5
	each := b.N/turns/conns + 1
	var ratios []float64
	var tookOurs, tookPlain time.Duration
	b.ResetTimer()
	for range turns {
		ours, plain := play(each)
		tookOurs, tookPlain = tookOurs+ours, tookPlain+plain
		ratios = append(ratios, plain.Seconds()/ours.Seconds())
	}
	echoes := float64(turns * each * conns)
	slices.Sort(ratios)
	b.ReportMetric(echoes/tookOurs.Seconds(), "ours/s")
	b.ReportMetric(echoes/tookPlain.Seconds(), "plain/s")
	b.ReportMetric(ratios[turns/2], "ratio")
}
