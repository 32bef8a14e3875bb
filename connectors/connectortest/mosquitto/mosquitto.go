// Package mosquitto runs a real mosquitto for tests.
package mosquitto

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest/program"
)

const patience = 90 * time.Second

// Options configures mosquitto. The zero value is a broker that allows everything and listens on one port.
type Options struct {
	// Users are the passwords by username. If empty, clients may connect without credentials.
	Users map[string]string

	// Dynamic loads the dynamic security plug-in, which can refuse SUBSCRIBE, and lets Deny and Allow change the rules
	// at run time. mosquitto's acl_file supports neither. It requires Users. If false, everything is allowed.
	Dynamic bool

	// Denied are topic filters that clients may not publish or subscribe to. It requires Dynamic. If empty, everything
	// is allowed.
	Denied []string

	// TLS adds a listener at TLSURL with a certificate for localhost and 127.0.0.1, signed by the CA in CAFile.
	TLS bool

	// ClientCertificates makes the TLS listeners refuse clients without a certificate from ClientCertificate. It
	// requires TLS.
	ClientCertificates bool

	// WebSocket adds a listener at WebSocketURL and, with TLS, another at SecureWebSocketURL.
	WebSocket bool

	// Config are additional lines of mosquitto.conf. Listener settings apply to the listener at URL.
	Config []string
}

// Broker is a mosquitto process that is running, paused or stopped.
type Broker struct {
	options   Options
	dir       string
	authority *authority // nil without Options.TLS
	ports     map[listener]string
	process   program.Process
}

// Start runs mosquitto until the test ends. If mosquitto is not installed, the test is skipped or, if the environment
// has CI, fails.
func Start(t testing.TB, options Options) *Broker {
	t.Helper()
	Program(t, "mosquitto")
	b := &Broker{options: options, dir: t.TempDir()}
	b.writeAccess(t)
	if options.TLS {
		b.writeCertificates(t)
	}
	for attempt := 0; ; attempt++ {
		b.choosePorts(t)
		if err := b.run(); err == nil {
			break
		} else if attempt == 3 {
			t.Fatalf("starting mosquitto: %v\n%s", err, &b.process.Log)
		}
	}
	t.Cleanup(func() {
		b.Kill()
		if t.Failed() {
			t.Logf("mosquitto:\n%s", &b.process.Log)
		}
	})
	return b
}

// Program returns the path of one of mosquitto's programs. If it is missing, the test is skipped or, if the environment
// has CI, fails.
func Program(t testing.TB, name string) string {
	t.Helper()
	pkg := "mosquitto"
	if name == "mosquitto_pub" || name == "mosquitto_sub" {
		pkg = "mosquitto-clients"
	}
	return program.Find(t, name, "apt install "+pkg)
}

// Stop ends mosquitto with a signal, as an operator does. mosquitto saves its persistent state to disk.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	if err := b.process.End(syscall.SIGTERM, patience); err != nil {
		t.Fatalf("stopping mosquitto: %v", err)
	}
}

// Kill kills mosquitto. It does nothing if mosquitto is not running.
func (b *Broker) Kill() { b.process.Kill() }

// Restart starts a stopped or killed mosquitto again, on the same ports and with its state on disk.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	if err := b.run(); err != nil {
		t.Fatalf("starting mosquitto again: %v\n%s", err, &b.process.Log)
	}
}

// Pause stops mosquitto with SIGSTOP and returns when it has stopped: connections stay open and the system accepts new
// ones, but nothing answers.
func (b *Broker) Pause(t testing.TB) {
	t.Helper()
	if err := b.process.Pause(); err != nil {
		t.Fatalf("pausing mosquitto: %v", err)
	}
}

// Resume continues a paused mosquitto, which then handles what was sent to it meanwhile.
func (b *Broker) Resume(t testing.TB) {
	t.Helper()
	if err := b.process.Resume(); err != nil {
		t.Fatalf("resuming mosquitto: %v", err)
	}
}

func (b *Broker) run() error {
	path := b.path("mosquitto.conf")
	if err := os.WriteFile(path, []byte(b.config()), 0o600); err != nil {
		return err
	}
	name, err := exec.LookPath("mosquitto")
	if err != nil {
		name = "/usr/sbin/mosquitto"
	}
	var listeners []string
	for l := range b.ports {
		listeners = append(listeners, b.addr(l))
	}
	return b.process.Run(exec.Command(name, "-c", path), patience, listeners...)
}
