package replay_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/capture"
	"github.com/exgate/exgate/runtime/tap/replay"
	"github.com/exgate/exgate/runtime/tap/taptest"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/runtime/wasm/enginetest"
	"github.com/exgate/exgate/wasm-examples/line"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorded is a capture of three devices of the line protocol at once.
func recorded(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	p, err := capture.New(capture.Config{
		Listener: "demo", Folder: &capture.Folder{Path: folder, Sample: 100},
		Logger: taptest.Quiet,
	})
	taptest.Must(t, err)
	g := taptest.Serve(t, tap.Around(enginetest.Line(t), p))
	var devices []*taptest.Device
	for _, name := range []string{"ann", "bob", "eve"} {
		d := g.Dial()
		d.Hear("")
		d.Ask("pub a too early", "error: login first")
		d.Ask("login "+name+" u wrong-pass", "")
		d.Ask("login "+name+" u p4ssw0rd", "ok")
		d.Ask("sub demo/"+name, "ok")
		devices = append(devices, d)
	}
	for i, name := range []string{"bob", "eve", "ann"} {
		devices[i].Say("pub1 demo/" + name + " hello\n")
	}
	for _, d := range devices {
		d.Hear("") // ok, and the message of another
		d.Hear("")
		d.Leave()
	}
	g.Stop()
	files, _ := filepath.Glob(filepath.Join(folder, "*.exgc"))
	text, err := os.ReadFile(files[0])
	taptest.Must(t, err)
	return string(text)
}

func run(t testing.TB, f gateway.HandlerFactory, text string) *replay.Report {
	t.Helper()
	defer func() { taptest.Must(t, f.Close(context.Background())) }()
	r, err := capture.NewReader(strings.NewReader(text))
	taptest.Must(t, err)
	report, err := replay.Run(context.Background(), f, r)
	taptest.Must(t, err)
	return report
}

func diffOf(t testing.TB, r *replay.Report) string {
	var b bytes.Buffer
	taptest.Must(t, r.WriteDiff(&b))
	return b.String()
}

func TestSameModuleCallsTheSame(t *testing.T) {
	text := recorded(t)
	report := run(t, enginetest.Line(t), text)
	if all, different := report.Replays(); all != 3 || different != 0 || !report.Same() || report.Truncated {
		t.Errorf("%d of %d differ:\n%s\n%s", different, all, diffOf(t, report), text)
	}
	var trace strings.Builder
	taptest.Must(t, report.WriteTrace(&trace))
	for _, want := range []string{
		"connection 3\n> created\n",
		"> bytes \"login bob u ********\\n\"\n< authenticate clientid \"bob\" username \"u\"",
		"\n< publish \"demo/ann\" qos 1 \"hello\"\n", "\n> message \"demo/ann\" qos 1 \"hello\"\n",
	} {
		if !strings.Contains(trace.String(), want) {
			t.Errorf("the trace has no %s:\n%s", want, trace.String())
		}
	}
}

func TestOtherModuleDiffers(t *testing.T) {
	e, err := wasm.New(t.Context(), wasm.Config{
		Name: "other", Module: line.Module, GuestConfig: []byte("hi"),
		Logger: taptest.Quiet,
	})
	taptest.Must(t, err)
	report := run(t, e, recorded(t))
	if all, different := report.Replays(); all != 3 || different != 3 || report.Same() {
		t.Errorf("%d of %d differ", different, all)
	}
	for _, want := range []string{
		"--- connection 1 of 127.0.0.1:", " > created\n-< send \"exgate line protocol.",
		"\n+< send \"hi",
	} {
		if got := diffOf(t, report); !strings.Contains(got, want) {
			t.Errorf("the diff has no %s:\n%s", want, got)
		}
	}
}

// A truncated capture is compared as far as it goes, and the report says so, wherever in a line it ends. One that ends
// with a whole line does not count as truncated.
func TestTruncatedCapture(t *testing.T) {
	text := recorded(t)
	for _, part := range []int{2, 3, 5} {
		end := strings.LastIndexByte(text[:len(text)*(part-1)/part], '\n') + 1
		next := end + strings.IndexByte(text[end:], '\n')
		for at, truncated := range map[int]bool{
			end: false, end + 1: true, (end + next) / 2: true, next - 1: true,
			next: false, next + 1: false,
		} {
			report := run(t, enginetest.Line(t), text[:at])
			if report.Truncated != truncated || !report.Same() {
				t.Errorf("cut at %d of the line from %d to %d: truncated %v\n%s", at, end, next, report.Truncated,
					diffOf(t, report))
			}
		}
	}
}

// A capture marks covered passwords, and a report counts the differing connections that have one.
func TestCoveredPasswords(t *testing.T) {
	text := recorded(t)
	if n := strings.Count(text, `"covered":true`); n != 6 {
		t.Errorf("%d reads have a covered password, want two of each of three devices:\n%s", n, text)
	}
	report := run(t, enginetest.Line(t), text)
	if all, different := report.Covered(); all != 3 || different != 0 {
		t.Errorf("%d have a covered password, %d of them differ", all, different)
	}
	e, err := wasm.New(t.Context(), wasm.Config{
		Name: "other", Module: line.Module, GuestConfig: []byte("hi"),
		Logger: taptest.Quiet,
	})
	taptest.Must(t, err)
	if all, different := run(t, e, text).Covered(); all != 3 || different != 3 {
		t.Errorf("%d have a covered password, %d of them differ", all, different)
	}
}

const head = `{"exgc":1,"listener":"a","started":"2026-01-01T00:00:00Z"}` + "\n" +
	`{"c":1,"n":1,"t":0,"event":"created","socket":"tcp","peer":"192.0.2.1:1"}` + "\n"

// Captures can be written by hand: a script for a handler.
func TestHandWritten(t *testing.T) {
	const bytes = `{"c":1,"n":2,"t":0,"event":"bytes","text":"ping\n"}`
	e, err := wasm.New(t.Context(), wasm.Config{
		Name: "hi", Module: line.Module, GuestConfig: []byte("hi"),
		Logger: taptest.Quiet,
	})
	taptest.Must(t, err)
	defer func() { taptest.Must(t, e.Close(context.Background())) }()
	const greeting = `hi. Type login <clientid>, then sub <filter> or pub <topic> <text>; help tells more.`
	send := func(text string) string { return `{"c":1,"n":2,"t":0,"call":"send","text":"` + text + `"}` }
	for text, same := range map[string]bool{
		send(greeting+`\n`) + bytes + send(`pong\n`):       true,
		send(greeting+`\npo`) + bytes + send(`ng\n`):       true, // in what pieces is the network's choice
		send(greeting+`\n`) + bytes + send(`pang\n`):       false,
		send(greeting+`\n`) + bytes:                        false,
		send(greeting+`\n`) + bytes + send(`pong\nmore\n`): false,
	} {
		text = head + strings.ReplaceAll(text, "}{",
			"}\n{") + "\n" + `{"c":1,"n":9,"t":9,"event":"closed","reason":"tcp_closed"}` + "\n"
		r, err := capture.NewReader(strings.NewReader(text))
		taptest.Must(t, err)
		report, err := replay.Run(t.Context(), e, r)
		if err != nil || report.Same() != same {
			t.Errorf("%v, %s\n%s", err, diffOf(t, report), text)
		}
	}
}

// scripted is a handler that calls everything.
type scripted struct{ gateway.ConnectionAdapter }

func (s *scripted) NewHandler(a gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return &scripted{a}, nil
}

func (s *scripted) Close(context.Context) error                { return nil }
func (s *scripted) OnSocketCreated(gateway.ConnInfo) error     { return nil }
func (s *scripted) OnTimerTimeout(gateway.TimerType) error     { return errors.New("no") }
func (s *scripted) OnSocketClosed(gateway.CloseReason) error   { return nil }
func (s *scripted) OnDrain() error                             { return nil }
func (s *scripted) OnReceivedMessages([]gateway.Message) error { s.Resume(); return nil }

func (s *scripted) OnReceivedBytes(b []byte) error {
	post := func(gateway.Result) { s.Post(func() error { s.Send([]byte("done")); return nil }) }
	s.Authenticate(gateway.ClientInfo{ClientID: string(b)}, "x", post)
	s.Publish("t", 1, b, post)
	s.Subscribe("t", 1, nil)
	s.Unsubscribe("t", post)
	s.StartTimer(0, 1)
	s.Pause()
	if len(b) > 10 {
		s.ConnectionAdapter.Close(gateway.ReasonNormal)
	}
	return nil
}

func FuzzRun(f *testing.F) {
	every, err := os.ReadFile("../capture/testdata/every.exgc")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(every))
	f.Add(head + `{"c":1,"n":2,"t":0,"event":"bytes","text":"x"}` + "\n" +
		`{"c":1,"n":3,"t":0,"call":"publish","topic":"t","id":1}` + "\n" +
		`{"c":1,"n":4,"t":0,"result":"LIMIT","of":1}` + "\n" + `{"c":1,"n":5,"t":0,"event":"posted"}` + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := capture.NewReader(strings.NewReader(text))
		if err != nil {
			return
		}
		report, err := replay.Run(t.Context(), &scripted{}, r)
		if err == nil {
			taptest.Must(t, report.WriteTrace(new(bytes.Buffer)))
			diffOf(t, report)
		}
	})
}
