package brokers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest/program"
)

// hivemqConfig raises the limit of 1000 queued messages per client, above which HiveMQ would drop acknowledged
// messages.
const hivemqConfig = `<hivemq>
  <listeners><tcp-listener><port>%s</port><bind-address>%s</bind-address></tcp-listener></listeners>
  <mqtt><queued-messages><max-queue-size>1000000</max-queue-size></queued-messages></mqtt>
  <persistence><mode>in-memory</mode></persistence>
  <anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics>
</hivemq>
`

// HiveMQOptions configures HiveMQ. The zero value is a broker that allows everything.
type HiveMQOptions struct {
	// Users are the passwords by username. If empty, clients may connect without credentials.
	Users map[string]string

	// Denied are topic filters that clients may not publish or subscribe to. HiveMQ disconnects a client that publishes
	// there, after PUBACK or PUBREC. If empty, everything is allowed.
	Denied []string
}

// StartHiveMQ runs HiveMQ Community Edition, in memory, until the test ends. The version is in hivemq/pom.xml.
func StartHiveMQ(t testing.TB, options HiveMQOptions) *Broker {
	t.Helper()
	java := program.Find(t, "java", "apt install openjdk-17-jdk-headless")
	jar := repository(t, "connectors/connectortest/brokers/hivemq/target/hivemq.jar")
	if _, err := os.Stat(jar); err != nil {
		program.Missing(t, "HiveMQ is missing: run connectors/connectortest/brokers/setup.sh hivemq: %v", err)
	}
	return start(t, func(addr string) *exec.Cmd {
		dir := t.TempDir()
		writeHiveMQConfig(t, filepath.Join(dir, "config.xml"), addr)
		cmd := exec.Command(java, append([]string{"-Xmx256m", "-jar", jar, dir}, options.arguments()...)...)
		if _, err := cmd.StdinPipe(); err != nil { // HiveMQ exits when its stdin closes, even if the test is killed
			t.Fatal(err)
		}
		return cmd
	})
}

func writeHiveMQConfig(t testing.TB, path, addr string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, hivemqConfig, port, host), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (o HiveMQOptions) arguments() (arguments []string) {
	for name, password := range o.Users {
		arguments = append(arguments, "--user", name, password)
	}
	for _, filter := range o.Denied {
		arguments = append(arguments, "--deny", filter)
	}
	return arguments
}
