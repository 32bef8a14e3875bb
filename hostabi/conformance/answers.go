package conformance

import (
	"fmt"
	"strings"

	"github.com/exgate/exgate/hostabi"
)

// resultsUnknown delivers results for calls that were never made.
func resultsUnknown(t *trial) string {
	d := t.device()
	bodies := [][]byte{
		nil, hostabi.AppendCodeResponse(nil, hostabi.CodeSuccess, "done"),
		hostabi.AppendCodeResponse(nil, hostabi.CodePermissionDeny, strings.Repeat("m", 4096)),
		hostabi.AppendCodeResponse(nil, 1<<32-1, "\xff\xfe"),
	}
	for _, token := range []int64{0, 1, 2, 3, 4, 1000, 1<<63 - 1, -1, -1 << 63} {
		for _, body := range bodies {
			d.event(hostabi.KindResult, token, body)
		}
	}
	d.close("tcp_closed")
	return "accepts results with unknown tokens"
}

// resultsRefused answers every pending call with a refusal.
func resultsRefused(t *trial) string {
	for code := hostabi.CodeUnknown; code <= hostabi.CodePermissionDeny; code++ {
		t.result = code
		t.sessions()
	}
	return "survives calls whose result is a refusal"
}

// refused returns a scenario in which every call returns code.
func refused(code hostabi.Code) func(t *trial) string {
	return func(t *trial) string {
		t.calls.refusal = code
		before := t.calls.calls
		t.sessions()
		return fmt.Sprintf("survives %d calls that return %d", t.calls.calls-before, code)
	}
}

// sessions runs every sample on a connection of its own, with all other kinds of events.
func (t *trial) sessions() {
	for _, sample := range t.run.options.Samples {
		d := t.device()
		d.bytes(sample)
		d.event(hostabi.KindMessages, 0, hostabi.AppendMessage(nil, message(1)))
		d.event(hostabi.KindTimer, 0, nil)
		d.event(hostabi.KindDrain, 0, nil)
		d.close("tcp_closed")
	}
}
