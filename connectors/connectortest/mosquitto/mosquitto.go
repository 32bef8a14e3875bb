// Package mosquitto runs a real mosquitto for tests.
package mosquitto

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

const patience = 10 * time.Second

// Options say how mosquitto is set up. The zero value is a broker that allows everything.
type Options struct {
	// Users are passwords by username. If zero, everyone may connect.
	Users map[string]string

	// Dynamic loads the dynamic security plug-in, which can refuse SUBSCRIBE, and lets Deny and Allow change the rules at run
	// time. mosquitto's acl_file cannot do either. It needs Users. If zero, everything is allowed.
	Dynamic bool

	// Denied are topic filters that nobody may publish or subscribe to. It needs Dynamic. If zero, none.
	Denied []string

	// Config are further lines of mosquitto.conf. If zero, none.
	Config []string
}

// Broker is a running mosquitto.
type Broker struct {
	options Options
	dir     string
	port    uint16

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil while stopped; guarded by mu
	exited chan struct{} // closed when cmd has ended; guarded by mu
	log    *gatewaytest.Log
}

// Start runs a mosquitto until the test ends. Where it is not installed, the test is skipped, or fails if the environment has CI.
func Start(t testing.TB, options Options) *Broker {
	t.Helper()
	Program(t, "mosquitto")
	b := &Broker{options: options, dir: t.TempDir(), log: new(gatewaytest.Log)}
	b.writeAccess(t)
	for attempt := 0; ; attempt++ {
		b.port = netip.MustParseAddrPort(gatewaytest.FreeAddress(t)).Port()
		if err := b.run(); err == nil {
			break
		} else if attempt == 3 {
			t.Fatalf("starting mosquitto: %v\n%s", err, b.log)
		}
	}
	t.Cleanup(func() {
		b.Kill()
		if t.Failed() {
			t.Logf("mosquitto:\n%s", b.log)
		}
	})
	return b
}

// Program finds one of mosquitto's programs. Where it is missing, the test is skipped, or fails if the environment has CI.
func Program(t testing.TB, program string) string {
	t.Helper()
	pkg := "mosquitto"
	if program == "mosquitto_pub" || program == "mosquitto_sub" {
		pkg = "mosquitto-clients"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("/usr/sbin", program))
	}
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("%s is missing: apt install %s", program, pkg)
	default:
		t.Skipf("%s is missing: apt install %s", program, pkg)
	}
	return path
}

// Addr is HOST:PORT of the listener.
func (b *Broker) Addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

// URL is mqtt://HOST:PORT of the listener.
func (b *Broker) URL() string { return "mqtt://" + b.Addr() }

// Stop ends mosquitto as an operator does. What is persistent is on disk then.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	if err := b.end(syscall.SIGTERM); err != nil {
		t.Fatalf("stopping mosquitto: %v", err)
	}
}

// Kill ends mosquitto without a warning. It does nothing where it has ended already.
func (b *Broker) Kill() { _ = b.end(syscall.SIGKILL) }

// Restart runs a stopped or killed mosquitto again, on the same port and with what it had on disk.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	if err := b.run(); err != nil {
		t.Fatalf("starting mosquitto again: %v\n%s", err, b.log)
	}
}

func (b *Broker) end(signal os.Signal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		return nil
	}
	_ = b.cmd.Process.Signal(signal)
	select {
	case <-b.exited:
	case <-time.After(patience):
		_ = b.cmd.Process.Kill()
		return fmt.Errorf("it ignores %v", signal)
	}
	b.cmd = nil
	return nil
}

func (b *Broker) run() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	path := filepath.Join(b.dir, "mosquitto.conf")
	if err := os.WriteFile(path, []byte(b.config()), 0o600); err != nil {
		return err
	}
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto"
	}
	cmd := exec.Command(program, "-c", path)
	cmd.Stdout, cmd.Stderr = b.log, b.log
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	if err := b.awaitListener(exited); err != nil {
		_ = cmd.Process.Kill()
		<-exited
		return err
	}
	b.cmd, b.exited = cmd, exited
	return nil
}

func (b *Broker) awaitListener(exited <-chan struct{}) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		conn, err := net.Dial("tcp", b.Addr())
		if err == nil {
			return conn.Close()
		}
		select {
		case <-exited:
			return fmt.Errorf("it ended at once")
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("it does not listen after %v", patience)
}

// config raises the limits with which mosquitto would lose acknowledged messages.
func (b *Broker) config() string {
	lines := []string{
		fmt.Sprintf("listener %d 127.0.0.1", b.port),
		"user root",
		"persistence true",
		"persistence_location " + b.dir + "/",
		"max_queued_messages 0",
		"max_inflight_messages 0",
		"set_tcp_nodelay true",
		"log_type error", "log_type warning", "log_type notice",
	}
	lines = append(lines, b.accessConfig()...)
	return strings.Join(append(lines, b.options.Config...), "\n") + "\n"
}
