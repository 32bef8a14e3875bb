package gatewaytest

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Device is a connection without a gateway, for tests that call a handler themselves. It records the handler's calls,
// and runs posted events only when the test asks for them.
type Device struct {
	Handler gateway.ConnectionHandler
	Name    string         // returned by ID
	Outcome gateway.Result // of calls that wait for the broker
	Kept    []byte         // returned by State
	posted  chan func() error

	mu     sync.Mutex // guards the fields below
	log    []string
	closed *gateway.CloseReason
}

var _ gateway.ConnectionAdapter = (*Device)(nil)

// Info describes the connections that Connect makes.
var Info = gateway.ConnInfo{
	SocketType: gateway.SocketSSL,
	Peer:       netip.MustParseAddrPort("192.0.2.1:1000"),
	Local:      netip.MustParseAddrPort("[2001:db8::1]:7993"),
}

// NewDevice makes a device without a handler.
func NewDevice() *Device { return &Device{Name: "dev", posted: make(chan func() error, 100)} }

// Connect creates a handler of f for a new device and runs its first event.
func Connect(t testing.TB, f gateway.HandlerFactory) *Device {
	t.Helper()
	return ConnectFrom(t, f, Info.Peer.Addr().String())
}

// ConnectFrom is Connect for a device at an address.
func ConnectFrom(t testing.TB, f gateway.HandlerFactory, address string) *Device {
	t.Helper()
	info := Info
	info.Peer = netip.AddrPortFrom(netip.MustParseAddr(address), 1000)
	d := NewDevice()
	var err error
	if d.Handler, err = f.NewHandler(d); err != nil {
		t.Fatal(err)
	}
	if err := d.Handler.OnSocketCreated(info); err != nil {
		t.Fatal(err)
	}
	return d
}

// Receive hands a packet to the handler.
func (d *Device) Receive(packet string) error { return d.Handler.OnReceivedBytes([]byte(packet)) }

// Next waits for a posted event and runs it.
func (d *Device) Next(t testing.TB) error {
	t.Helper()
	select {
	case event := <-d.posted:
		return event()
	case <-time.After(patience):
		t.Fatal("no event was posted")
		return nil
	}
}

// Take returns the calls since the last Take, one a line.
func (d *Device) Take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := strings.Join(d.log, "\n")
	d.log = nil
	return s
}

// Reason returns the name of the first close reason, or "" while the device is open.
func (d *Device) Reason() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed == nil {
		return ""
	}
	return d.closed.Name
}

func (d *Device) record(format string, args ...any) gateway.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, fmt.Sprintf(format, args...))
	return gateway.OK
}

// accept returns Outcome through done, if the handler wants it.
func (d *Device) accept(done gateway.Done) gateway.Result {
	if done != nil {
		go done(d.Outcome)
	}
	return gateway.OK
}

// ID returns Name.
func (d *Device) ID() string { return d.Name }

// Send records b, or its length if it is long.
func (d *Device) Send(b []byte) gateway.Result {
	if len(b) > 100 {
		return d.record("send %d bytes", len(b))
	}
	return d.record("send %q", b)
}

// Close records the reason; the first one counts.
func (d *Device) Close(r gateway.CloseReason) gateway.Result {
	d.mu.Lock()
	if d.closed == nil {
		d.closed = &r
	}
	d.mu.Unlock()
	return d.record("close %v", r)
}

// Authenticate records the client, but not the password.
func (d *Device) Authenticate(c gateway.ClientInfo, password string, done gateway.Done) gateway.Result {
	d.record("authenticate %+v %d bytes of password", c, len(password))
	return d.accept(done)
}

// StartTimer records its arguments.
func (d *Device) StartTimer(timer gateway.TimerType, seconds uint32) gateway.Result {
	return d.record("start_timer %d %d", timer, seconds)
}

// SetTimer records its arguments.
func (d *Device) SetTimer(id uint32, ms int32) gateway.Result {
	return d.record("set_timer %d %d", id, ms)
}

// State returns Kept.
func (d *Device) State() []byte { return d.Kept }

// SaveState records its arguments.
func (d *Device) SaveState(value []byte, done gateway.Done) gateway.Result {
	d.record("save_state %q wanted=%v", value, done != nil)
	return d.accept(done)
}

// Publish records its arguments.
func (d *Device) Publish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result {
	d.record("publish %s %d %q wanted=%v", topic, qos, payload, done != nil)
	return d.accept(done)
}

// PublishWith records its arguments.
func (d *Device) PublishWith(topic string, qos uint32, payload []byte, props *gateway.Properties,
	done gateway.Done,
) gateway.Result {
	d.record("publish %s %d %q wanted=%v %v", topic, qos, payload, done != nil, props)
	return d.accept(done)
}

// Subscribe records its arguments.
func (d *Device) Subscribe(filter string, qos uint32, done gateway.Done) gateway.Result {
	d.record("subscribe %s %d", filter, qos)
	return d.accept(done)
}

// Unsubscribe records its arguments.
func (d *Device) Unsubscribe(filter string, done gateway.Done) gateway.Result {
	d.record("unsubscribe %s", filter)
	return d.accept(done)
}

// Pause records the call.
func (d *Device) Pause() { d.record("pause") }

// Resume records the call.
func (d *Device) Resume() gateway.Result { return d.record("resume") }

// Hold lets the event wait; nothing interrupts it.
func (*Device) Hold(func()) (release func()) { return func() {} }

// Post keeps event until Next runs it.
func (d *Device) Post(event func() error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed != nil {
		return false
	}
	d.posted <- event
	return true
}
