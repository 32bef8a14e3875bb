package program

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 90 * time.Second

func TestRunOfWhatEnds(t *testing.T) {
	p := new(Process)
	err := p.Run(exec.Command("sh", "-c", "echo no such setting; exit 3"), patience, "127.0.0.1:0")
	if err == nil || !strings.Contains(p.Log.String(), "no such setting") {
		t.Fatalf("%v, having printed %q", err, &p.Log)
	}
}

func TestEndAndRunAgain(t *testing.T) {
	p := new(Process)
	for range 2 {
		if err := p.Run(exec.Command("sleep", "600"), patience); err != nil {
			t.Fatal(err)
		}
		if err := p.Pause(); err != nil {
			t.Fatal(err)
		}
		if err := p.End(syscall.SIGTERM, patience); err != nil {
			t.Fatalf("ending a paused program: %v", err)
		}
		if err := p.Resume(); err == nil {
			t.Fatal("resumed a program that has ended")
		}
		p.Kill()
	}
}

func TestPID(t *testing.T) {
	p := new(Process)
	if err := p.Run(exec.Command("sleep", "600"), patience); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID(), 0); p.PID() == 0 || err != nil {
		t.Errorf("process %d: %v", p.PID(), err)
	}
	p.Kill()
	if p.PID() != 0 {
		t.Errorf("PID is %d after the program has ended", p.PID())
	}
}

// outcome is a test that records a skip or failure without ending the goroutine.
type outcome struct {
	testing.TB
	skipped, failed string
}

func (o *outcome) Helper() {}

func (o *outcome) Skipf(format string, args ...any) { o.skipped = fmt.Sprintf(format, args...) }

func (o *outcome) Fatalf(format string, args ...any) { o.failed = fmt.Sprintf(format, args...) }

func TestFindOfWhatIsMissing(t *testing.T) {
	for ci, want := range map[string]outcome{
		"":     {skipped: "exgate-none is missing: apt install none"},
		"true": {failed: "exgate-none is missing: apt install none"},
	} {
		t.Setenv("CI", ci)
		var got outcome
		Find(&got, "exgate-none", "apt install none")
		if got != want {
			t.Errorf("CI=%q: %+v", ci, got)
		}
	}
}
