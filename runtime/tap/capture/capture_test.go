package capture_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/capture"
	"github.com/exgate/exgate/runtime/tap/taptest"
	"github.com/exgate/exgate/runtime/wasm/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = "hunter2-s3cret"

// recorded captures devices of the line protocol and returns the text of the only file.
func recorded(t *testing.T, cfg capture.Folder, play func(*taptest.Gate)) string {
	t.Helper()
	cfg.Path, cfg.Sample = filepath.Join(t.TempDir(), "captures"), 100
	p, err := capture.New(capture.Config{
		Listener: "demo", Handler: "wasm", Source: "line.wasm", Exgate: "v1", Folder: &cfg, Logger: taptest.Quiet,
	})
	taptest.Must(t, err)
	g := taptest.Serve(t, tap.Around(enginetest.Line(t), p))
	play(g)
	g.Stop()
	files, err := filepath.Glob(filepath.Join(cfg.Path, "demo-*.exgc"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(files[0])
	taptest.Must(t, err)
	return string(text)
}

// entries reads a whole capture.
func entries(t *testing.T, text string) (list []capture.Entry, kinds string) {
	t.Helper()
	r, err := capture.NewReader(strings.NewReader(text))
	taptest.Must(t, err)
	var words []string
	for e, err := range r.All() {
		taptest.Must(t, err)
		list = append(list, e)
		words = append(words, e.Record.Kind.String())
	}
	return list, strings.Join(words, " ")
}

func TestLiveLoginShowsNoPassword(t *testing.T) {
	text := recorded(t, capture.Folder{}, func(g *taptest.Gate) {
		d := g.Dial()
		d.Hear("")
		for _, piece := range []string{"login bob bob hun", "ter2", "-s3cret\n"} {
			d.Say(piece)
		}
		d.Hear("ok")
		d.Ask("pub1 demo/a my password is "+password, "ok")
		d.Ask("login bob bob "+password, "error: you are logged in already")
		d.Ask(base64.StdEncoding.EncodeToString([]byte("x"+password)), "")
		d.Ask(strings.ToUpper(hex.EncodeToString([]byte(password))), "")
		d.Leave()
	})
	list, kinds := entries(t, text)
	for _, e := range list {
		for _, data := range [][]byte{e.Record.Data, []byte(e.Record.Password)} {
			if bytes.Contains(data, []byte(password)) {
				t.Errorf("the password is in %+v", e)
			}
		}
	}
	lower := strings.ToLower(text)
	for _, form := range []string{
		password, "hunter", "s3cret", hex.EncodeToString([]byte(password)),
		base64.RawStdEncoding.EncodeToString([]byte(password))[:12],
		base64.StdEncoding.EncodeToString([]byte("x" + password))[3:15],
	} {
		if strings.Contains(lower, strings.ToLower(form)) {
			t.Errorf("the capture has %q:\n%s", form, text)
		}
	}
	for _, want := range []string{
		`"clientid":"bob","username":"bob"`, `"text":"my password is **************"`,
		`"event":"closed"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the capture does not have %s:\n%s", want, text)
		}
	}
	if !strings.HasPrefix(kinds, "created send bytes ") || !strings.Contains(kinds,
		" authenticate ") || !strings.Contains(kinds, " posted ") || !strings.HasSuffix(kinds, " closed") {
		t.Errorf("got %s", kinds)
	}
}

func TestConnectionWithoutLogin(t *testing.T) {
	text := recorded(t, capture.Folder{}, func(g *taptest.Gate) {
		d := g.Dial()
		d.Hear("")
		d.Ask("ping", "pong")
		d.Leave()
	})
	list, kinds := entries(t, text)
	if kinds != "created send bytes send bytes send close closed" {
		t.Errorf("got %s", kinds)
	}
	first := list[0].Record
	if !first.Info.Peer.Addr().IsLoopback() || len(first.Digest) != 64 || list[3].Record.Kind != tap.Send ||
		string(list[3].Record.Data) != "pong\n" {
		t.Errorf("got %+v and %+v", first, list[3])
	}
}

// After a refused login, what follows is held back until the password of the next login is known.
func TestRefusedLogin(t *testing.T) {
	text := recorded(t, capture.Folder{}, func(g *taptest.Gate) {
		d := g.Dial()
		d.Hear("")
		d.Ask("login a a wrong-"+password, "")
		for range 20 {
			d.Ask("ping", "pong")
		}
		d.Ask("login a a second-"+password, "ok")
		d.Leave()
	})
	if strings.Contains(text, password) || strings.Count(text, `"call":"authenticate"`) != 2 {
		t.Errorf("got %s", text)
	}
}

// Too much data before the login is not written: it may contain a password.
func TestTooMuchBeforeLogin(t *testing.T) {
	text := recorded(t, capture.Folder{}, func(g *taptest.Gate) {
		d := g.Dial()
		d.Hear("")
		for range 1000 {
			d.Ask("ping "+password, "")
		}
		d.Leave()
	})
	list, _ := entries(t, text)
	if len(list) != 1 || list[0].Cut != "too much before the login: a password could be in there" ||
		strings.Contains(text, "ping") {
		t.Errorf("got %s", text)
	}
}

// A device that sends little and receives much is written while it is connected.
func TestDeviceThatListens(t *testing.T) {
	const messages = 3000
	payload := strings.Repeat("x", 900)
	text := recorded(t, capture.Folder{}, func(g *taptest.Gate) {
		d, other := g.Dial(), g.Dial()
		d.Hear("")
		d.Say("login listener\nsub demo/#\n")
		d.Hear("ok")
		d.Hear("ok")
		other.Hear("")
		other.Ask("login other", "ok")
		for range messages {
			other.Say("pub demo/a " + payload + "\n")
			d.Hear("")
		}
		other.Leave()
		d.Leave()
	})
	list, _ := entries(t, text)
	heard := 0
	for _, e := range list {
		if e.Cut != "" {
			t.Error(e.Cut)
		}
		heard += len(e.Record.Messages)
	}
	if heard != messages {
		t.Errorf("%d of %d messages", heard, messages)
	}
}

func TestFullFilesGiveWay(t *testing.T) {
	folder := t.TempDir()
	old := filepath.Join(folder, "demo-20200101T000000.000000000Z.exgc")
	other := filepath.Join(folder, "demo-2-20200101T000000.000000000Z.exgc")
	taptest.Must(t, errors.Join(os.WriteFile(old, nil, 0o600), os.WriteFile(other, nil, 0o600)))
	p, err := capture.New(capture.Config{
		Listener: "demo", Folder: &capture.Folder{Path: folder, Sample: 100, MaxBytes: 1 << 20, MaxFiles: 2},
		Logger: taptest.Quiet,
	})
	taptest.Must(t, err)
	g := taptest.Serve(t, tap.Around(enginetest.Line(t), p))
	word := strings.Repeat("x", 900)
	for range 4 {
		d := g.Dial()
		d.Hear("")
		d.Ask("login a", "ok")
		for range 1100 {
			d.Ask(word, "")
		}
		d.Leave()
	}
	g.Stop()
	files, _ := filepath.Glob(filepath.Join(folder, "demo-*.exgc"))
	if len(files) != 3 || files[0] != other && files[2] != other {
		t.Fatalf("files %v", files)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(text) > 1<<20 {
			t.Errorf("%s has %d bytes, %v", file, len(text), err)
		}
		if file != other {
			entries(t, string(text))
		}
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Error("the oldest file is there still")
	}
}

func TestLiveCapture(t *testing.T) {
	p, err := capture.New(capture.Config{Listener: "demo", Logger: taptest.Quiet})
	taptest.Must(t, err)
	g := taptest.Serve(t, tap.Around(enginetest.Line(t), p))
	before := g.Dial()
	before.Hear("")
	var b bytes.Buffer
	began, ended := make(chan struct{}), make(chan capture.Summary)
	go func() {
		s, err := p.Capture(t.Context(), &b, 2, func() { close(began) })
		if err != nil {
			t.Error(err)
		}
		ended <- s
	}()
	<-began
	for range 2 {
		d := g.Dial()
		d.Hear("")
		d.Leave()
	}
	summary := <-ended
	before.Leave()
	list, _ := entries(t, b.String())
	seen := make(map[uint32]bool)
	for _, e := range list {
		seen[e.Conn] = true
	}
	if summary.Connections != 2 || summary.Bytes != int64(b.Len()) || len(seen) != 2 {
		t.Errorf("%v of %s", summary, b.String())
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestLiveCaptureThatCannotBeWritten(t *testing.T) {
	p, err := capture.New(capture.Config{Listener: "demo", Logger: taptest.Quiet})
	taptest.Must(t, err)
	taptest.Serve(t, tap.Around(enginetest.Line(t), p))
	if _, err := p.Capture(t.Context(), broken{}, 0, func() {}); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
