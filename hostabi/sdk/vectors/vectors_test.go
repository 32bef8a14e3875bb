package vectors_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	exproto "github.com/exgate/exgate/hostabi/sdk/go"
	"github.com/exgate/exgate/hostabi/sdk/go/exprototest"
	"github.com/exgate/exgate/hostabi/sdk/go/framing"
	"github.com/exgate/exgate/hostabi/sdk/vectors"
)

func TestGo(t *testing.T) {
	for _, v := range vectors.All() {
		got := ""
		if steps, ok := strings.CutPrefix(v.Op, "frames "); ok {
			got = frames(t, steps)
		} else {
			got = vectors.Run(v.Op)
		}
		if got != v.Out {
			t.Errorf("%s\ngot  %s\nwant %s", v.Op, got, v.Out)
		}
	}
}

// device is the protocol of the operation frames: a line is a command, or echoed.
type device struct {
	exproto.FrameDefaults
	*exproto.FrameConn
}

func protocol([]byte) (exproto.NewHandler, error) {
	return exproto.Frames(framing.Delimiter{Bytes: []byte("\n"), Max: 16, Strip: framing.StripLine},
		func(c *exproto.FrameConn) exproto.FrameHandler { return &device{FrameConn: c} })
}

func (d *device) OnFrame(line []byte) exproto.Action {
	switch string(line) {
	case "login":
		return d.LogIn(exproto.ClientInfo{ClientID: "c"}, "")
	case "wait":
		return exproto.Pause
	case "resume":
		d.Resume()
	case "bye":
		return exproto.Close
	case "end":
		d.Close("asked")
	case "call":
		d.Publish("t", 1, nil, d.called)
	default:
		d.Send(append(line, '/'))
	}
	return exproto.Continue
}

func (d *device) OnFrameError(error) exproto.Action {
	d.Send([]byte("too long/"))
	return exproto.Continue
}

func (d *device) OnLogin(r exproto.Result) exproto.Action {
	d.Send(fmt.Appendf(nil, "login %d/", uint32(r.Code)))
	switch r.Code {
	case exproto.Success, exproto.Unsupported:
		return exproto.Continue
	case exproto.Limit:
		return exproto.Pause
	}
	return exproto.Close
}

func (d *device) OnAlarm(uint32) exproto.Action {
	d.Resume()
	return exproto.Continue
}

func (d *device) called(r exproto.Result) {
	d.Send(fmt.Appendf(nil, "called %d/", uint32(r.Code)))
	if r.OK() {
		d.Resume()
	}
}

// frames runs steps: bytes:HEX or bytes:HEX*TIMES, answer:CODE for the oldest call, alarm, refuse:CODE for later
// logins. An event's outcome is its action, what was sent, and the names of the calls.
func frames(t *testing.T, steps string) string {
	t.Helper()
	g := exprototest.Start(t, protocol, "")
	d, _ := g.Connect(exproto.ConnInfo{})
	var all []string
	for step := range strings.SplitSeq(steps, ",") {
		name, arg, _ := strings.Cut(step, ":")
		code, _ := strconv.Atoi(arg)
		var a exproto.Action
		switch name {
		case "bytes":
			digits, times, _ := strings.Cut(arg, "*")
			b, err := hex.DecodeString(digits)
			if err != nil {
				t.Fatal(err)
			}
			n, _ := strconv.Atoi(times)
			a = d.Receive(strings.Repeat(string(b), max(n, 1)))
		case "answer":
			a = d.Answer(exproto.Code(code), "")
		case "alarm":
			a = d.Alarm(1)
		case "refuse":
			g.Refuse("authenticate", exproto.Code(code))
			continue
		}
		var calls []string
		for line := range strings.Lines(d.Calls()) {
			calls = append(calls, strings.Fields(line)[0])
		}
		all = append(all, strings.Join([]string{
			[]string{"continue", "pause", "close"}[a], d.Sent(), strings.Join(calls, "+"),
		}, ":"))
	}
	return strings.Join(all, ";")
}

// Each checksum has its check value from the catalogue.
func TestEveryChecksumIsAmongThem(t *testing.T) {
	var missing []string
	for _, name := range vectors.Checksums() {
		op := "crc " + name + " 313233343536373839"
		if !slices.ContainsFunc(vectors.All(), func(v vectors.Vector) bool { return v.Op == op }) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		t.Error(missing)
	}
}

// TestPrint prints the outcomes of the operations in the file $OPS, one a line, for new vectors.
func TestPrint(t *testing.T) {
	b, err := os.ReadFile(os.Getenv("OPS"))
	if err != nil {
		return
	}
	for op := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n") {
		if steps, ok := strings.CutPrefix(op, "frames "); ok {
			fmt.Printf("%s => %s\n", op, frames(t, steps))
		} else {
			fmt.Printf("%s => %s\n", op, vectors.Run(op))
		}
	}
}
