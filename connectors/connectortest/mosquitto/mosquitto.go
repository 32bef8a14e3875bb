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

const patience = 10 * time.Second

// Options say how mosquitto is set up. The zero value is a broker that allows everything and listens at one port.
type Options struct {
	// Users are passwords by username. If zero, everyone may connect.
	Users map[string]string

	// Dynamic loads the dynamic security plug-in, which can refuse SUBSCRIBE, and lets Deny and Allow change the rules
	// at run time. mosquitto's acl_file cannot do either. It needs Users. If zero, everything is allowed.
	Dynamic bool

	// Denied are topic filters that nobody may publish or subscribe to. It needs Dynamic. If zero, none.
	Denied []string

	// TLS adds a listener at TLSURL, whose certificate is for localhost and 127.0.0.1 and of the CA in CAFile. If zero,
	// there is none.
	TLS bool

	// ClientCertificates has the listeners of TLS refuse clients without a certificate of ClientCertificate. It needs
	// TLS. If zero, they ask for none.
	ClientCertificates bool

	// WebSocket adds a listener at WebSocketURL and, with TLS, another one at SecureWebSocketURL. If zero, there is
	// none.
	WebSocket bool

	// Config are further lines of mosquitto.conf; those that are about a listener are about the one at URL. If zero,
	// none.
	Config []string
}

// Broker is a mosquitto that runs, is paused or has ended.
type Broker struct {
	options   Options
	dir       string
	authority *authority // nil without Options.TLS
	ports     map[listener]string
	process   program.Process
}

// Start runs a mosquitto until the test ends. Where it is not installed, the test is skipped, or fails if the
// environment has CI.
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

// Program finds one of mosquitto's programs. Where it is missing, the test is skipped, or fails if the environment has
// CI.
func Program(t testing.TB, name string) string {
	t.Helper()
	pkg := "mosquitto"
	if name == "mosquitto_pub" || name == "mosquitto_sub" {
		pkg = "mosquitto-clients"
	}
	return program.Find(t, name, "apt install "+pkg)
}

// Stop ends mosquitto as an operator does. What is persistent is on disk then.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	if err := b.process.End(syscall.SIGTERM, patience); err != nil {
		t.Fatalf("stopping mosquitto: %v", err)
	}
}

// Kill ends mosquitto without a warning. It does nothing where it has ended already.
func (b *Broker) Kill() { b.process.Kill() }

// Restart runs a stopped or killed mosquitto again, on the same ports and with what it had on disk.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	if err := b.run(); err != nil {
		t.Fatalf("starting mosquitto again: %v\n%s", err, &b.process.Log)
	}
}

// Pause stops mosquitto with SIGSTOP: connections stay open, the system accepts new ones, and nothing answers. It
// returns when mosquitto has stopped.
func (b *Broker) Pause(t testing.TB) {
	t.Helper()
	if err := b.process.Pause(); err != nil {
		t.Fatalf("pausing mosquitto: %v", err)
	}
}

// Resume lets a paused mosquitto go on with what was sent to it meanwhile.
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
