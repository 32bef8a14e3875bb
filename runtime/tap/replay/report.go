package replay

import (
	"fmt"
	"io"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/capture"
	"github.com/exgate/exgate/runtime/tap/internal/calldiff"
)

// Report is the result of a replay.
type Report struct {
	Header      capture.Header
	Truncated   bool // the capture ends in the middle of a line
	Connections []Connection
}

// Connection is the result of one connection.
type Connection struct {
	Number    uint32 // in the capture
	Line      int    // of its beginning; 0 if that is missing, and nothing was replayed
	Info      gateway.ConnInfo
	Cut       string // why the capture ends before the connection does; otherwise empty
	Covered   bool   // a password is covered in the bytes of the device
	Different bool
	Replayed  []string // events and calls, in order

	recorded []string
}

// Same reports whether the handler made the recorded calls on all connections.
func (r *Report) Same() bool {
	for _, c := range r.Connections {
		if c.Different {
			return false
		}
	}
	return true
}

// Replays returns how many connections were replayed, and how many of them differ.
func (r *Report) Replays() (all, different int) {
	for _, c := range r.Connections {
		if c.Line > 0 {
			all++
		}
		if c.Different {
			different++
		}
	}
	return all, different
}

// Covered returns how many replayed connections have a covered password in what the device sent, and how many of those
// differ.
func (r *Report) Covered() (all, different int) {
	for _, c := range r.Connections {
		if c.Line > 0 && c.Covered {
			all++
			if c.Different {
				different++
			}
		}
	}
	return all, different
}

// WriteDiff writes a unified diff of each connection that differs. Lines of events begin with >, those of calls with <.
func (r *Report) WriteDiff(w io.Writer) error {
	for _, c := range r.Connections {
		if !c.Different {
			continue
		}
		name := fmt.Sprintf("connection %d of %s, line %d", c.Number, c.Info.Peer, c.Line)
		if _, err := w.Write(diff.Diff(name+", recorded", text(c.recorded), name+", replayed",
			text(c.Replayed))); err != nil {
			return err
		}
	}
	return nil
}

// WriteTrace writes the replayed events and calls of each connection, for later comparison.
func (r *Report) WriteTrace(w io.Writer) error {
	for _, c := range r.Connections {
		if c.Line == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "connection %d\n%s", c.Number, text(c.Replayed)); err != nil {
			return err
		}
	}
	return nil
}

func text(lines []string) []byte { return []byte(strings.Join(append(lines, ""), "\n")) }

// maxTrace bounds the lines of one connection.
const maxTrace = 100_000

// trace is the text of a connection.
type trace struct{ lines []string }

func (t *trace) add(line string) {
	if len(t.lines) < maxTrace {
		t.lines = append(t.lines, line)
	}
}

func (t *trace) call(r *tap.Record) {
	if r.Kind != tap.Pause && r.Kind != tap.Resume && r.Kind != 0 {
		t.add("< " + calldiff.Text(r))
	}
}

func (t *trace) event(r *tap.Record) {
	switch r.Kind {
	case tap.Bytes:
		t.add("> bytes " + calldiff.Quote(r.Data))
	case tap.Messages:
		for _, m := range r.Messages {
			t.add(strings.TrimSpace(fmt.Sprintf("> message %q qos %d %s %v", m.Topic, m.QoS, calldiff.Quote(m.Payload),
				m.Properties)))
		}
	case tap.Timer:
		t.add(fmt.Sprintf("> timer %d", r.Timer))
	case tap.Alarm:
		t.add(fmt.Sprintf("> alarm %d", r.Alarm))
	case tap.Closed:
		t.add("> closed " + r.Reason.Name)
	default:
		t.add("> " + r.Kind.String())
	}
}
