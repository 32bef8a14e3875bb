package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds each wait for something that is on its way.
const patience = 90 * time.Second

var workshop string // the folder of the program and of compiled modules

func TestMain(m *testing.M) {
	var err error
	if workshop, err = os.MkdirTemp("", "exgate-chaos-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(workshop)
		os.Exit(code)
	}))
}

// built builds exgate once, with the race detector where the tests have it.
var built = sync.OnceValues(func() (string, error) {
	path := filepath.Join(workshop, "exgate")
	args := []string{"build", "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/exgate/exgate/cmd/exgate")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building exgate: %w\n%s", err, out)
	}
	return path, nil
})

// size is how many devices publish how many messages each.
type size struct{ devices, messages int }

// sizeOfRun is smaller where a message takes longer, or time is short.
func sizeOfRun() size {
	if raceEnabled || testing.Short() {
		return size{40, 100}
	}
	return size{200, 500}
}

// mode is a kind of session at the broker.
type mode struct {
	name     string
	settings string // further lines of the section upstream
}

var modes = []mode{
	{name: "device"},
	{name: "shared", settings: "\n  session: shared\n  authentication: {chain: [allow]}"},
}

func eachMode(t *testing.T, test func(*testing.T, mode)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { test(t, m) })
	}
}
