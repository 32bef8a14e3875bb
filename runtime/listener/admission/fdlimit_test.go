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
		{0, 64, 64, true, "this process may open 64 files: 32 connections"},
		{0, 10, 10, true, "this process may open 10 files: 1 connections"},
		{100000, math.MaxUint64, math.MaxUint64, true, "this process may open any number of files"},
		{100000, math.MaxInt64 + 1, math.MaxUint64, true, "this process may open any number of files"},
		{
			19937, 20000, 30000, false, "19937 connections are too many: this process may open 20000 files " +
				"(hard limit 30000), which is 19936 connections; raise it to 20001 (ulimit -n, or LimitNOFILE= in a " +
				"systemd service) or lower max_connections",
		},
	} {
		if message, ok := describeFiles(tt.want, 10, tt.soft, tt.hard); message != tt.message || ok != tt.ok {
			t.Errorf("%d of %d: %v, %q", tt.want, tt.soft, ok, message)
		}
	}
}

// Under a small limit devices get about half of it, as many as the message says.
func TestSmallLimitsServeDevices(t *testing.T) {
	for _, tt := range []struct {
		open int
		soft uint64
		most int64
	}{{20, 64, 32}, {40, 64, 16}, {20, 100, 50}, {20, 136, 68}, {20, 256, 188}, {100, 1024, 876}, {100, 64, 1}} {
		d := &Descriptors{soft: tt.soft}
		d.share(tt.open)
		message, _ := describeFiles(0, tt.open, tt.soft, tt.soft)
		want := fmt.Sprintf("this process may open %d files: %d connections", tt.soft, tt.most)
		if most := d.most.Load(); most != tt.most || message != want {
			t.Errorf("%d of %d open: %d for devices, %q", tt.open, tt.soft, most, message)
		}
	}
}

// Connections that use the reserve leave half of it.
func TestSpareUnderSmallLimits(t *testing.T) {
	for _, tt := range []struct {
		open int
		soft uint64
		want int
	}{{20, 20000, 24}, {20, 200, 24}, {20, 64, 6}, {20, 100, 15}, {40, 64, 4}, {100, 64, 4}} {
		d := &Descriptors{soft: tt.soft}
		d.share(tt.open)
		if got := d.Spare(24); got != tt.want {
			t.Errorf("%d of %d open: %d, want %d", tt.open, tt.soft, got, tt.want)
		}
	}
	if got := (*Descriptors)(nil).Spare(24); got != 24 {
		t.Errorf("without a limit: %d", got)
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
