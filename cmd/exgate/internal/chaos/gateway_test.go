package chaos

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/connectortest/program"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// exgate is a gateway with the line protocol, a process that may be killed and run again.
type exgate struct {
	t        *testing.T
	folder   string
	devices  string // HOST:PORT
	trapping string // HOST:PORT of a second listener, or empty
	metrics  string
	process  program.Process
}

// configuration ends with the sections of the listener and of the broker, for further lines of each.
const configuration = `
log: {level: warn, format: text}
node: %s
modules_cache: %s
metrics: {bind: %s}
upstream:
  url: %s%s
listeners:
  line:
    bind: %s
    handler: {wasm: %s}%s
`

// startGateway runs a gateway until the test ends.
func startGateway(t *testing.T, b *mosquitto.Broker, upstream, listener string) *exgate {
	t.Helper()
	return startGatewayWith(t, b, "chaos", "builtin:line", upstream, listener)
}

// startGatewayWith is startGateway for a node and a module.
func startGatewayWith(t *testing.T, b *mosquitto.Broker, node, module, upstream, listener string) *exgate {
	t.Helper()
	g := &exgate{t: t, folder: t.TempDir(), devices: gatewaytest.FreeAddress(t), metrics: gatewaytest.FreeAddress(t)}
	text := fmt.Sprintf(configuration, node, filepath.Join(workshop, "modules"), g.metrics, b.URL(), upstream,
		g.devices, module, listener)
	if err := os.WriteFile(g.file(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.finish)
	g.run()
	return g
}

func (g *exgate) file() string { return filepath.Join(g.folder, "exgate.yaml") }

func (g *exgate) run() {
	g.t.Helper()
	path, err := built()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.process.Run(exec.Command(path, "run", "-c", g.file()), patience, g.devices); err != nil {
		g.t.Fatalf("starting exgate: %v\n%s", err, &g.process.Log)
	}
}

// finish stops the gateway in order.
func (g *exgate) finish() {
	if err := g.process.End(syscall.SIGTERM, patience); err != nil {
		g.t.Errorf("stopping exgate: %v", err)
	}
	if log := g.process.Log.String(); g.t.Failed() || strings.Contains(log, "DATA RACE") ||
		strings.Contains(log, "panic:") {
		g.t.Errorf("exgate:\n%s", log)
	}
}

// metric is the sum of the values of a name that have all of these labels, or 0.
func (g *exgate) metric(name string, labels ...string) (sum float64) {
	g.t.Helper()
	answer, err := http.Get("http://" + g.metrics + "/metrics")
	if err != nil {
		g.t.Fatalf("%v\n%s", err, &g.process.Log)
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), " ")
		missing := func(label string) bool { return !strings.Contains(key, `"`+label+`"`) }
		if named, _, _ := strings.Cut(key, "{"); named != name || slices.ContainsFunc(labels, missing) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			g.t.Fatalf("%s: %v", lines.Text(), err)
		}
		sum += n
	}
	return sum
}
