package service_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// meter is a device that is a server, like one of Modbus TCP: it answers what it is asked. What it tells the probe
// guest stands for the protocol of a real module.
type meter struct {
	net.Listener
	polls chan string // what a master asked for
}

func startMeter(t *testing.T, polls int) *meter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &meter{l, make(chan string, 1000)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.answer(c, polls)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-served
	})
	return m
}

// answer answers a number of polls, and then ends the connection.
func (m *meter) answer(c net.Conn, polls int) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = fmt.Fprint(c, "auth meter-1\nsub reset 1\nalarm 1 20\n")
	for lines := bufio.NewScanner(c); polls > 0 && lines.Scan(); {
		m.polls <- lines.Text()
		if lines.Text() == "alarm 1" {
			polls--
			_, _ = fmt.Fprint(c, "pub meter-1/voltage 1 231\nalarm 1 20\n")
		}
	}
}

// until waits for a line that begins with text.
func (m *meter) until(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line := <-m.polls:
			if strings.HasPrefix(line, text) {
				return
			}
		case <-timeout:
			t.Fatalf("the meter was not sent %q", text)
		}
	}
}

// A module polls a device that is a server with set_timer, publishes what it answers, and does so again after the
// device has ended the connection.
func TestModulePollsTarget(t *testing.T) {
	m := startMeter(t, 5)
	addrs := serve(t, fmt.Sprintf(`
  meters:
    type: dial
    handler: {wasm: %s}
    access: {rules: [allow 127.0.0.1]}
    dial: {targets: ["meter-1 %s unit=1"], min_pause: 20ms, max_pause: 100ms}
`, probeGuest(t), m.Addr()))
	if got := addrs["meters"].String(); got != "1 target" {
		t.Errorf("the listener is at %s", got)
	}
	for range 3 {
		m.until(t, "created type=0 peer="+m.Addr().String())
		m.until(t, "result 1 0")
		for range 4 {
			m.until(t, "alarm 1")
			m.until(t, "result 2 0")
		}
	}
}

// probeGuest is the path of a module that does what its device says.
func probeGuest(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../../../hostabi/sdk/c/probe/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
