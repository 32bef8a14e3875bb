package rollout

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/wasm"
)

// Draining more devices than events may wait for an instance ends none of them.
func TestDrainOfManyDevices(t *testing.T) {
	m, err := New(Config{Name: "test", Logger: quiet})
	must(t, err)
	files, _ := guests(t, "scenario", "a", "b")
	must(
		t,
		m.Swap(t.Context(), wasm.Config{Module: files["a"], Shards: 1, Limits: wasm.Limits{Waiting: drainsAtOnce + 1}},
			SwapOptions{}),
	)
	broker, err := embedded.New(embedded.Config{Logger: quiet})
	must(t, err)
	l, err := listener.ListenTCP(t.Context(), listener.TCPConfig{Bind: "127.0.0.1:0"})
	must(t, err)
	gatewaytest.Serve(t, l, m, broker, gateway.Limits{})
	var devices []net.Conn
	for range 5 * drainsAtOnce {
		d, err := net.Dial("tcp", l.Addr().String())
		must(t, err)
		t.Cleanup(func() { _ = d.Close() })
		must(t, d.SetDeadline(time.Now().Add(90*time.Second)))
		if _, err := io.ReadFull(d, make([]byte, 2)); err != nil { // it is connected
			t.Fatal(err)
		}
		devices = append(devices, d)
	}
	swap(t, m, files["b"], SwapOptions{})
	for i, d := range devices {
		lines := bufio.NewReader(d)
		if _, err := lines.ReadString('6'); err != nil {
			t.Fatalf("device %d was not told: %v", i, err)
		}
		if b, err := lines.ReadByte(); b != 0 || err != nil {
			t.Fatalf("device %d: %v %v", i, b, err)
		}
		_, err := io.WriteString(d, "hello")
		must(t, err)
		got := make([]byte, 7)
		if _, err := io.ReadFull(lines, got); err != nil || string(got) != "b\x00hello" {
			t.Fatalf("device %d: %q %v", i, got, err)
		}
	}
}
