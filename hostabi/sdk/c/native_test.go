package c_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compile builds a C program for this machine, as README.md says, and returns its path.
func compile(t testing.TB, source string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("cc is missing: apt-get install gcc libc6-dev")
		}
		t.Skip("cc is missing: apt-get install gcc libc6-dev")
	}
	program := filepath.Join(t.TempDir(), "program")
	build := exec.CommandContext(t.Context(), cc, "-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror",
		"-fsanitize=address,undefined",
		"-fno-sanitize-recover=undefined", "-o", program, source)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", source, err, out)
	}
	return program
}

func TestGuestsUnderTheTestDouble(t *testing.T) {
	for _, source := range []string{"testdata/echo_test.c", "testdata/lines_test.c", "testdata/probe_test.c"} {
		if out, err := exec.CommandContext(t.Context(), compile(t, source)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", source, err, out)
		}
	}
}

func TestTheTestDoubleTellsWhatIsWrong(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), compile(t, "testdata/wrong_test.c")).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
	for _, want := range []string{
		`XP_STR("hello")) is 0, want 1`, "what was sent is\nhello\nwant\nhallo\n",
		"what was called is\n\nwant\nresume 1\n", "is\na\nwant\nb\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// native is testdata/vectors.c, running.
type native struct {
	t   testing.TB
	in  io.Writer
	out *bufio.Reader
}

func startNative(t testing.TB, source string) *native {
	t.Helper()
	program := exec.Command(compile(t, source))
	in, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	program.Stderr = &said
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := program.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", source, err, said.String())
		}
	})
	return &native{t, in, bufio.NewReaderSize(out, 1<<20)}
}

// ask writes lines and returns the answer to each.
func (n *native) ask(lines ...string) []string {
	n.t.Helper()
	go func() { _, _ = io.WriteString(n.in, strings.Join(lines, "\n")+"\n") }()
	answers := make([]string, 0, len(lines))
	for range lines {
		answer, err := n.out.ReadString('\n')
		if err != nil {
			n.t.Fatalf("the program ended: %v", err)
		}
		answers = append(answers, strings.TrimSuffix(answer, "\n"))
	}
	return answers
}

// outcomes runs each cut of a stream through a new framer.
func (n *native) outcomes(notation string, cuts [][][]byte) []string {
	n.t.Helper()
	var lines []string
	for _, pieces := range cuts {
		lines = append(lines, "framer "+notation)
		for _, p := range pieces {
			lines = append(lines, hex.EncodeToString(p))
		}
	}
	answers := n.ask(lines...)
	all := make([]string, len(cuts))
	for i, pieces := range cuts {
		if answers[0] != "ok" {
			n.t.Fatalf("%s is %s", notation, answers[0])
		}
		outcomes := slices.DeleteFunc(answers[1:1+len(pieces)], func(a string) bool { return a == "" })
		all[i] = strings.Join(outcomes, ",")
		answers = answers[1+len(pieces):]
	}
	return all
}
