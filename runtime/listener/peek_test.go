package listener_test

import (
	"net"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// A disconnect during an event is noticed, but not before everything that the device sent has been read.
func TestHeldDeviceThatLeaves(t *testing.T) {
	for _, test := range []struct {
		name   string
		leave  func(*net.TCPConn)
		reason gateway.CloseReason
		events string
	}{
		{"closes", func(c *net.TCPConn) { c.Close() }, gateway.ReasonTCPClosed, "1"},
		{"resets", func(c *net.TCPConn) { c.SetLinger(0); c.Close() }, gateway.ReasonConnReset, "1"},
		{"sends and closes", func(c *net.TCPConn) { c.Write([]byte("2")); c.Close() }, gateway.ReasonTCPClosed, "12"},
	} {
		t.Run(test.name, func(t *testing.T) {
			begun, bound := make(chan struct{}, 2), 20*time.Second
			if test.events == "12" {
				bound = 1500 * time.Millisecond // more than one look at the socket
			}
			var events string
			s := serveStream(t, listener.TCPConfig{}, func(a gateway.ConnectionAdapter, b []byte) {
				events += string(b)
				begun <- struct{}{}
				hold(a, bound)
			}, gateway.Limits{})
			conn, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			conn.Write([]byte("1"))
			<-begun
			test.leave(conn.(*net.TCPConn))
			if reason := <-s.Closed; !reason.Is(test.reason) || events != test.events {
				t.Errorf("closed with %s after %q, want %s after %q", reason, events, test.reason.Name, test.events)
			}
		})
	}
}

// hold blocks in the event until its connection closes, or for d.
func hold(a gateway.ConnectionAdapter, d time.Duration) {
	interrupted := make(chan struct{})
	release := a.Hold(func() { close(interrupted) })
	if release == nil {
		return
	}
	defer release()
	select {
	case <-interrupted:
	case <-time.After(d):
	}
}
