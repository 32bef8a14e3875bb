// Package taptest serves handlers to devices on real sockets, for the tests of what taps them.
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

	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/wasm-examples/line"
)

// Quiet throws logs away.
var Quiet = slog.New(slog.DiscardHandler)

const patience = 30 * time.Second

// Gate is a gateway with one TCP listener and a broker of its own.
type Gate struct {
	*gateway.Gateway
	Address string
	stopped bool
	t       testing.TB
}

// Serve has devices served by f, until the test ends.
func Serve(t testing.TB, f gateway.HandlerFactory) *Gate {
	t.Helper()
	broker, err := embedded.New(embedded.Config{Logger: Quiet})
	Must(t, err)
	g := &Gate{Gateway: gateway.New(gateway.Config{Node: "n", Logger: Quiet}), t: t}
	t.Cleanup(g.Stop)
	Must(t, g.SetHandler("h", f))
	Must(t, g.SetConnector("broker", refusing{broker}))
	l, err := listener.ListenTCP(t.Context(), listener.TCPConfig{Bind: "127.0.0.1:0", Logger: Quiet})
	Must(t, err)
	Must(t, g.AddListener("tcp", l, gateway.ListenerConfig{Handler: "h", Connector: "broker"}))
	g.Address = l.Addr().String()
	return g
}

// refusing is a broker that lets nobody in whose password begins with "wrong".
type refusing struct{ gateway.Connector }

func (r refusing) Connect(ctx context.Context, device gateway.Device, password string, down gateway.Downlink) (gateway.Session, error) {
	if strings.HasPrefix(password, "wrong") {
		return nil, &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny, "wrong password")}
	}
	return r.Connector.Connect(ctx, device, password, down)
}

// Stop ends the gateway with its connections and handlers.
func (g *Gate) Stop() {
	if g.stopped {
		return
	}
	g.stopped = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	Must(g.t, g.Shutdown(ctx))
}

// Line is an engine of the line protocol that is built into exgate.
func Line(t testing.TB) *wasm.Engine { return Engine(t, line.Module) }

// Engine runs a module.
func Engine(t testing.TB, module []byte) *wasm.Engine {
	t.Helper()
	e, err := wasm.New(t.Context(), wasm.Config{Name: "guest", Module: module, Logger: Quiet})
	Must(t, err)
	return e
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
	Must(g.t, c.SetDeadline(time.Now().Add(patience)))
	return &Device{c, bufio.NewReader(c), g.t}
}

// Say sends text in one piece.
func (d *Device) Say(text string) {
	d.t.Helper()
	_, err := io.WriteString(d, text)
	Must(d.t, err)
}

// Hear reads the next line and compares it, unless want is empty.
func (d *Device) Hear(want string) {
	d.t.Helper()
	got, err := d.lines.ReadString('\n')
	if err != nil || want != "" && got != want+"\n" {
		d.t.Fatalf("got %q %v, want %q", got, err, want)
	}
}

// Ask says a line and hears its answer.
func (d *Device) Ask(text, want string) {
	d.t.Helper()
	d.Say(text + "\n")
	d.Hear(want)
}

// Leave has the gateway end the connection, and waits until it has.
func (d *Device) Leave() {
	d.t.Helper()
	d.Ask("quit", "bye")
	if _, err := io.Copy(io.Discard, d.lines); err != nil {
		d.t.Fatal(err)
	}
}

// Must ends the test for an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Eventually waits until a condition holds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came about that %s", what)
		}
	}
}
