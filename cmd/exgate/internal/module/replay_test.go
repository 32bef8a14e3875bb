package module

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/wasm"
)

// recorded is a capture of the probe.
func recorded(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "session.exgc")
	const in = "auth a b s3cret-word\nsub t/# 1\npub t/1 1 hi\necho there\n/message t/2 x\n/close\necho " +
		"again\ntimer 30\nleave\n"
	if err := Run(t.Context(), open(t, cProbe, "", wasm.Limits{}), strings.NewReader(in), io.Discard,
		RunOptions{Record: file}); err != nil {
		t.Fatal(err)
	}
	return file
}

func replayed(t *testing.T, s *Subject, file string, o ReplayOptions) (string, error) {
	t.Helper()
	var out strings.Builder
	err := Replay(t.Context(), s, file, &out, o)
	return out.String(), err
}

// TestEveryProbeDoesWhatTheRecordedOneDid replays what one language's probe did to another's.
func TestEveryProbeDoesWhatTheRecordedOneDid(t *testing.T) {
	file := recorded(t)
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "auth a b s3cret-word") {
		t.Errorf("%v, the recording has not what its author typed:\n%s", err, text)
	}
	for _, path := range []string{cProbe, goProbe, rustProbe, asProbe} {
		out, err := replayed(t, open(t, path, "", goLimits), file, ReplayOptions{})
		if err != nil || out != "replayed 2 connections, 0 of them differ\n" {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}

func TestAnotherModuleIsDifferent(t *testing.T) {
	out, err := replayed(t, open(t, wrongGuest, "", wasm.Limits{}), recorded(t), ReplayOptions{})
	if !errors.Is(err, ErrDifferent) || !strings.HasSuffix(out, "\nreplayed 2 connections, 2 of them differ\n") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"\n-< authenticate clientid \"a\"", "\n > bytes \"echo there\\n\"",
		"\n+< send \"echo there",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// withCovered masks the password in a recording.
func withCovered(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	covered := regexp.MustCompile(`"text":"auth a b s3cret-word\\n","crc":"[0-9a-f]*"`).ReplaceAllString(string(text),
		`"text":"auth a b ***********\n","covered":true`)
	if covered == string(text) {
		t.Fatalf("no password in\n%s", text)
	}
	if err := os.WriteFile(file, []byte(covered), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Where a connection differs whose password is covered, replaying says that this may be why, also where it compares
// with a golden file.
func TestCoveredPasswordIsSaid(t *testing.T) {
	file := withCovered(t, recorded(t))
	const said = "1 of the connections that differ contain a masked password"
	other, same := open(t, wrongGuest, "", wasm.Limits{}), open(t, cProbe, "", wasm.Limits{})
	golden := filepath.Join(t.TempDir(), "golden")
	for _, o := range []ReplayOptions{{}, {Golden: golden, Update: true}, {Golden: golden}} {
		if out, _ := replayed(t, other, file, o); !strings.Contains(out, said) {
			t.Errorf("%+v:\n%s", o, out)
		}
	}
	if out, err := replayed(t, same, file, ReplayOptions{}); err != nil || strings.Contains(out, "masked") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestGoldenFilesAreWrittenAndCompared(t *testing.T) {
	file := recorded(t)
	o := ReplayOptions{Golden: filepath.Join(t.TempDir(), "session.golden")}
	probe := open(t, cProbe, "", wasm.Limits{})
	if _, err := replayed(t, probe, file, o); err == nil || !strings.Contains(err.Error(), "--update") {
		t.Errorf("without the file: %v", err)
	}
	update := o
	update.Update = true
	if out, err := replayed(t, probe, file, update); err != nil || !strings.Contains(out, "2 connections") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := replayed(t, probe, file, o); err != nil ||
		!strings.HasPrefix(out, "replayed 2 connections, as in ") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err := replayed(t, open(t, wrongGuest, "", wasm.Limits{}), file, o)
	if !errors.Is(err, ErrDifferent) || !strings.Contains(out, "\n-< send \"there\\n\"\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestReplayNamesWhatItCannotRead(t *testing.T) {
	probe := open(t, cProbe, "", wasm.Limits{})
	folder := t.TempDir()
	text := filepath.Join(folder, "text.exgc")
	empty := filepath.Join(folder, "empty.exgc")
	for file, content := range map[string]string{
		text:  "no capture\n",
		empty: "{\"exgc\":1,\"listener\":\"a\",\"started\":\"2026-01-01T00:00:00Z\"}\n",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{text, empty, filepath.Join(folder, "missing.exgc")} {
		if _, err := replayed(t, probe, file, ReplayOptions{}); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestARecordingWithoutADeviceIsNone(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "none.exgc")
	err := Run(t.Context(), open(t, cProbe, "", wasm.Limits{}), strings.NewReader(""), io.Discard,
		RunOptions{Record: file})
	if err == nil || !strings.Contains(err.Error(), "no device connected") {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("%v, %v is left", err, left)
	}
}

func TestARecordingReplacesFilesOnly(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	err := Run(t.Context(), open(t, cProbe, "", wasm.Limits{}), strings.NewReader("ping\n"), io.Discard,
		RunOptions{Record: pipe})
	if !errors.Is(err, boundedfile.ErrNotRegular) {
		t.Errorf("got %v", err)
	}
	if info, err := os.Lstat(pipe); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("it is %v, %v", info, err)
	}
}
