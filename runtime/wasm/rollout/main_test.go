package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

var eventually = gatewaytest.Eventually

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file returns a guest of runtime/wasm/testdata.
func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../testdata/" + name + ".wasm")
	must(t, err)
	return b
}

func digest(module []byte) string {
	sum := sha256.Sum256(module)
	return hex.EncodeToString(sum[:])
}

// device is a connection that records what its handler sends, and runs posted events when the test asks for them.
type device struct {
	scratchAdapter
	handler gateway.ConnectionHandler
	name    string
	posted  chan func() error

	mu     sync.Mutex
	log    []string
	closed *gateway.CloseReason
}

var info = gateway.ConnInfo{
	SocketType: gateway.SocketSSL, Peer: netip.MustParseAddrPort("192.0.2.1:1000"), Local: netip.MustParseAddrPort("[2001:db8::1]:7993"),
}

// connect makes a handler for a new device and runs its first event.
func connect(t testing.TB, f gateway.HandlerFactory) *device {
	t.Helper()
	d := &device{name: "dev", posted: make(chan func() error, 100)}
	var err error
	d.handler, err = f.NewHandler(d)
	must(t, err)
	must(t, d.handler.OnSocketCreated(info))
	return d
}

// receive hands packet to the handler.
func (d *device) receive(packet string) error { return d.handler.OnReceivedBytes([]byte(packet)) }

// next runs the next posted event.
func (d *device) next(t testing.TB) error {
	t.Helper()
	select {
	case event := <-d.posted:
		return event()
	case <-time.After(20 * time.Second):
		t.Fatal("no event was posted")
		return nil
	}
}

// take returns what was sent since the last take.
func (d *device) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := strings.Join(d.log, "\n")
	d.log = nil
	return s
}

// reason returns the name of the first close reason, or "" while the device is open.
func (d *device) reason() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed == nil {
		return ""
	}
	return d.closed.Name
}

func (d *device) ID() string { return d.name }

func (d *device) Send(b []byte) gateway.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, fmt.Sprintf("send %q", b))
	return gateway.OK
}

func (d *device) Close(r gateway.CloseReason) gateway.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed == nil {
		d.closed = &r
	}
	return gateway.OK
}

func (d *device) Post(event func() error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed != nil {
		return false
	}
	d.posted <- event
	return true
}
