// Package taptest serves handlers to devices on real sockets, for tests of taps.
//
// It imports runtime/gateway and runtime/listener. Begin with [Serve].
package taptest

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
)

// Quiet discards logs.
var Quiet = slog.New(slog.DiscardHandler)

const patience = 90 * time.Second

// Gate is a gateway with one TCP listener and a broker in memory, which refuses passwords that begin with "wrong".
type Gate struct {
	*gateway.Gateway
	Address string
	stopped bool
	t       testing.TB
}

// Serve runs a gateway with handlers of f until the test ends.
func Serve(t testing.TB, f gateway.HandlerFactory) *Gate {
	t.Helper()
	broker := gatewaytest.NewUpstream()
	broker.Refuse = func(password string) bool { return strings.HasPrefix(password, "wrong") }
	g := &Gate{Gateway: gateway.New(gateway.Config{Node: "n", Logger: Quiet}), t: t}
	t.Cleanup(g.Stop)
	Must(t, g.SetHandler("h", f))
	Must(t, g.SetConnector("broker", broker))
	l, err := listener.ListenTCP(t.Context(), listener.TCPConfig{Bind: "127.0.0.1:0", Logger: Quiet})
	Must(t, err)
	Must(t, g.AddListener("tcp", l, gateway.ListenerConfig{Handler: "h", Connector: "broker"}))
	g.Address = l.Addr().String()
	return g
}

// Stop ends the gateway, its connections and its handlers.
func (g *Gate) Stop() {
	if g.stopped {
		return
	}
	g.stopped = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	Must(g.t, g.Shutdown(ctx))
}

// Device is the far end of a connection.
type Device struct {
	net.Conn
	lines *bufio.Reader
	t     testing.TB
}

// Dial connects a device.
func (g *Gate) Dial() *Device {
	g.t.Helper()
	c, err := net.Dial("tcp", g.Address)
	Must(g.t, err)
	g.t.Cleanup(func() { _ = c.Close() })
	return &Device{c, bufio.NewReader(c), g.t}
}

// wait bounds the next read or write.
func (d *Device) wait() { Must(d.t, d.SetDeadline(time.Now().Add(patience))) }

// Say sends text in one piece.
func (d *Device) Say(text string) {
	d.t.Helper()
	d.wait()
	_, err := io.WriteString(d, text)
	Must(d.t, err)
}

// Hear reads the next line and compares it with want, unless want is empty.
func (d *Device) Hear(want string) {
	d.t.Helper()
	d.wait()
	got, err := d.lines.ReadString('\n')
	if err != nil || want != "" && got != want+"\n" {
		d.t.Fatalf("got %q %v, want %q", got, err, want)
	}
}

// Ask sends a line and compares the answer.
func (d *Device) Ask(text, want string) {
	d.t.Helper()
	d.Say(text + "\n")
	d.Hear(want)
}

// Leave makes the gateway end the connection and waits for that.
func (d *Device) Leave() {
	d.t.Helper()
	d.Ask("quit", "bye")
	d.wait()
	if _, err := io.Copy(io.Discard, d.lines); err != nil {
		d.t.Fatal(err)
	}
}

// Must fails the test if err is not nil.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
