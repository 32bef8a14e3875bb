package admission

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestFilesAgainstConnections(t *testing.T) {
	for _, tt := range []struct {
		want       int
		soft, hard uint64
		ok         bool
		message    string
	}{
		{1000, 20000, 20000, true, "this process may open 20000 files: enough for 1000 connections"},
		{19936, 20000, 20000, true, "this process may open 20000 files: enough for 19936 connections"},
		{0, 20000, 20000, true, "this process may open 20000 files: 19936 connections"},
		{0, 10, 10, true, "this process may open 10 files: 0 connections"},
		{100000, math.MaxUint64, math.MaxUint64, true, "this process may open any number of files"},
		{100000, math.MaxInt64 + 1, math.MaxUint64, true, "this process may open any number of files"},
		{
			19937, 20000, 30000, false, "19937 connections cannot be reached: this process may open 20000 files (hard limit 30000), " +
				"which is 19936 connections; raise it to 20001 (ulimit -n, LimitNOFILE= of a systemd service) or lower max_connections",
		},
	} {
		if message, ok := describeFiles(tt.want, ownFiles, tt.soft, tt.hard); message != tt.message || ok != tt.ok {
			t.Errorf("%d of %d: %v, %q", tt.want, tt.soft, ok, message)
		}
	}
}

func TestCheckFilesOfThisProcess(t *testing.T) {
	if message, ok := CheckFiles(1); !ok || !strings.HasPrefix(message, "this process may open ") {
		t.Error(ok, message)
	}
	soft, _, err := FileLimit()
	if err != nil {
		t.Fatal(err)
	}
	if soft < math.MaxInt32 {
		if message, ok := CheckFiles(int(soft)); ok || !strings.Contains(message, fmt.Sprint(soft)) {
			t.Error(ok, message)
		}
	}
}

// The runtime raises the soft limit by itself, to one below the hard one.
func TestSoftLimitIsRaisedAtStart(t *testing.T) {
	const variable = "EXGATE_TEST_PRINT_FILE_LIMIT"
	if os.Getenv(variable) != "" {
		soft, hard, err := FileLimit()
		fmt.Println("limit", soft, hard, err)
		return
	}
	child := exec.CommandContext(t.Context(), "sh", "-c",
		`ulimit -S -n 100 && ulimit -H -n 400 && exec "$0" -test.run='^TestSoftLimitIsRaisedAtStart$'`, os.Args[0])
	child.Env = append(os.Environ(), variable+"=1")
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "limit 399 400 <nil>\n") {
		t.Errorf("%v: %s", err, out)
	}
}
