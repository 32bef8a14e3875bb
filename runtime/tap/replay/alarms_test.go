package replay_test

import (
	"os"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/tap/taptest"
	"github.com/exgate/exgate/runtime/wasm/enginetest"
)

// An alarm in a capture is delivered as it was, and set_timer is compared.
func TestAlarms(t *testing.T) {
	probe, err := os.ReadFile("../../../hostabi/sdk/c/probe/probe.wasm")
	taptest.Must(t, err)
	text := head + `{"c":1,"n":2,"t":0,"call":"send","text":"created type=0 peer=192.0.2.1:1 local=:0 cn= dn=\n"}
{"c":1,"n":3,"t":0,"event":"bytes","text":"alarm 3 250\nalarm 4 4294967295\n"}
{"c":1,"n":4,"t":0,"call":"set_timer","id":2,"alarm":3,"ms":250}
{"c":1,"n":5,"t":0,"call":"set_timer","id":3,"alarm":4,"ms":-1}
{"c":1,"n":6,"t":0,"call":"send","id":4,"text":"ok\nok\n"}
{"c":1,"n":7,"t":250000,"event":"alarm","alarm":3}
{"c":1,"n":8,"t":250000,"call":"send","id":5,"text":"alarm 3\n"}
{"c":1,"n":9,"t":9,"event":"closed","reason":"tcp_closed"}
`
	report := run(t, enginetest.New(t, probe), text)
	if !report.Same() {
		t.Errorf("it differs: %s", diffOf(t, report))
	}
	var trace strings.Builder
	taptest.Must(t, report.WriteTrace(&trace))
	if !strings.Contains(trace.String(), "> alarm 3\n") {
		t.Errorf("the trace is %s", trace.String())
	}
	other := run(t, enginetest.New(t, probe), strings.Replace(text, `"ms":250`, `"ms":251`, 1))
	if got := diffOf(t, other); !strings.Contains(got, "-< set_timer 3, 251 ms") {
		t.Errorf("the difference is %s", got)
	}
}
