// Package brokers runs real brokers for tests, beside mosquitto, which has a package of its own: HiveMQ, which sends
// one copy of a message that several subscriptions of a client match, with all their identifiers, and NATS, which
// speaks MQTT 3.1.1 only.
//
// What they need beside Go is prepared by setup.sh; where that was not run their tests are skipped, and in CI fail.
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

// start runs what command makes for a listener, HOST:PORT, until the test ends.
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

// Addr is HOST:PORT of the listener.
func (b *Broker) Addr() string { return b.addr }

// URL is mqtt://HOST:PORT of the listener.
func (b *Broker) URL() string { return "mqtt://" + b.addr }

// repository is a path in the repository, whose root is where the go.mod of the package under test is.
func repository(t testing.TB, path string) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env GOMOD: %v", err)
	}
	return filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), path)
}
