package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// oneMaster is a device that takes one connection: it notes each that comes while the one before is still established.
type oneMaster struct {
	net.Listener
	accepted chan struct{}

	mu     sync.Mutex // guards the fields below
	last   *net.TCPConn
	second int
}

func startOneMaster(t *testing.T) *oneMaster {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &oneMaster{Listener: l, accepted: make(chan struct{}, 100)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.master(c.(*net.TCPConn))
		}
	}()
	return m
}

func (m *oneMaster) master(c *net.TCPConn) {
	m.mu.Lock()
	if m.last != nil && established(m.last) {
		m.second++
	}
	m.last = c
	m.mu.Unlock()
	go func() {
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}()
	m.accepted <- struct{}{}
}

// established reports whether the peer has not closed its side yet.
func established(c *net.TCPConn) (yes bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	const tcpEstablished = 1
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		yes = err == nil && info.State == tcpEstablished
	})
	return yes
}

func (m *oneMaster) await(t *testing.T) {
	t.Helper()
	select {
	case <-m.accepted:
	case <-time.After(patience):
		t.Fatal("the target was not dialed")
	}
}

// Each target has one connection at a time during an upgrade: the old process closes its own before the new one dials.
func TestUpgradeOfTargets(t *testing.T) {
	m := startOneMaster(t)
	g := newGate(t, fmt.Sprintf(`upstream: {url: mqtt://127.0.0.1:1}
listeners:
  meters:
    type: dial
    handler: {wasm: builtin:line}
    access: {rules: [allow 127.0.0.1]}
    dial: {targets: ["meter %s"]}
`, m.Addr()))
	g.start(nil)
	m.await(t)
	for range 3 {
		g.mustUpgrade()
		m.await(t)
	}
	g.end()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.second != 0 {
		t.Errorf("%d connections came while another was established", m.second)
	}
}
