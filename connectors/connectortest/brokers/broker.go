// Package brokers runs real brokers other than mosquitto for tests: HiveMQ, which sends one copy of a message that
// matches several subscriptions of a client, with all their identifiers, and NATS, which supports only MQTT 3.1.1.
//
// setup.sh installs what they need besides Go. Without it, their tests are skipped or, in CI, fail.
package brokers

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest/program"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

const patience = 60 * time.Second

// Broker is a running broker.
type Broker struct {
	addr    string
	process program.Process
}

// start runs the program that command returns for a listener HOST:PORT, until the test ends.
func start(t testing.TB, command func(addr string) *exec.Cmd) *Broker {
	t.Helper()
	b := new(Broker)
	for attempt := 0; ; attempt++ {
		b.addr = gatewaytest.FreeAddress(t)
		cmd := command(b.addr)
		err := b.process.Run(cmd, patience, b.addr)
		if err == nil {
			break
		}
		if attempt == 3 {
			t.Fatalf("starting %s: %v\n%s", cmd, err, &b.process.Log)
		}
	}
	t.Cleanup(func() {
		b.process.Kill()
		if t.Failed() {
			t.Logf("the broker:\n%s", &b.process.Log)
		}
	})
	return b
}

// Addr returns HOST:PORT of the listener.
func (b *Broker) Addr() string { return b.addr }

// URL returns mqtt://HOST:PORT of the listener.
func (b *Broker) URL() string { return "mqtt://" + b.addr }

// repository returns the absolute form of a path in the repository, which it finds by the go.mod of the package under
// test.
func repository(t testing.TB, path string) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env GOMOD: %v", err)
	}
	return filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), path)
}
