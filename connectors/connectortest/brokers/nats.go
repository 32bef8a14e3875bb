package brokers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest/program"
)

// StartNATS runs a NATS server that accepts MQTT clients and allows everything, until the test ends. The version is in
// .tools/brokers/go.mod. The server is built from Go's caches; nothing is downloaded.
func StartNATS(t testing.TB) *Broker {
	t.Helper()
	server := natsServer(t)
	return start(t, func(addr string) *exec.Cmd {
		dir := t.TempDir()
		config := fmt.Sprintf("server_name: exgate-test\nlisten: \"127.0.0.1:-1\"\njetstream { store_dir: %q }\nmqtt "+
			"{ listen: %q }\n", dir, addr)
		path := filepath.Join(dir, "nats.conf")
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command(server, "-c", path)
	})
}

func natsServer(t testing.TB) string {
	t.Helper()
	build := exec.Command("go", "tool", "-modfile="+repository(t, ".tools/brokers/go.mod"), "-n", "nats-server")
	build.Env = append(os.Environ(), "GOPROXY=off")
	var failure strings.Builder
	build.Stderr = &failure
	path, err := build.Output()
	if err != nil {
		program.Missing(t, "NATS is missing: run connectors/connectortest/brokers/setup.sh nats: %v: %s", err,
			&failure)
	}
	return strings.TrimSpace(string(path))
}
