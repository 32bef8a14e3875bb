package wasm

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// device is a connection as a handler's test sees it: it writes down what the handler does, and runs posted events when it is told to.
type device struct {
	handler gateway.ConnectionHandler
	name    string
	outcome gateway.Result // of calls that wait for the broker
	posted  chan func() error

	mu     sync.Mutex
	log    []string
	closed *gateway.CloseReason
}

var info = gateway.ConnInfo{
	SocketType: gateway.SocketSSL, Peer: netip.MustParseAddrPort("192.0.2.1:1000"), Local: netip.MustParseAddrPort("[2001:db8::1]:7993"),
}

// connect gives a new device to e, and runs its first event.
func connect(t testing.TB, e gateway.HandlerFactory) *device {
	t.Helper()
	return connectFrom(t, e, info.Peer.Addr().String())
}

// connectFrom is connect for a device at an address.
func connectFrom(t testing.TB, e gateway.HandlerFactory, address string) *device {
	t.Helper()
	info := info
	info.Peer = netip.AddrPortFrom(netip.MustParseAddr(address), 1000)
	d := &device{name: "dev", posted: make(chan func() error, 100)}
	var err error
	if d.handler, err = e.NewHandler(d); err != nil {
		t.Fatal(err)
	}
	if err := d.handler.OnSocketCreated(info); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *device) instance() *instance { return d.handler.(*connection).instance }

// receive hands packet to the handler.
func (d *device) receive(packet string) error { return d.handler.OnReceivedBytes([]byte(packet)) }

// next runs the event that is posted next.
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

func (d *device) note(format string, args ...any) gateway.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, fmt.Sprintf(format, args...))
	return gateway.OK
}

// take returns what was written down since the last take.
func (d *device) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := strings.Join(d.log, "\n")
	d.log = nil
	return s
}

func (d *device) reason() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed == nil {
		return ""
	}
	return d.closed.Name
}

func (d *device) done(done gateway.Done) gateway.Result {
	if done != nil {
		go done(d.outcome)
	}
	return gateway.OK
}

func (d *device) ID() string { return d.name }

func (d *device) Send(b []byte) gateway.Result {
	if len(b) > 100 {
		return d.note("send %d bytes", len(b))
	}
	return d.note("send %q", b)
}

func (d *device) Close(r gateway.CloseReason) gateway.Result {
	d.mu.Lock()
	if d.closed == nil {
		d.closed = &r
	}
	d.mu.Unlock()
	return d.note("close %v", r)
}

func (d *device) Authenticate(c gateway.ClientInfo, password string, done gateway.Done) gateway.Result {
	d.note("authenticate %+v %d bytes of password", c, len(password))
	return d.done(done)
}

func (d *device) StartTimer(timer gateway.TimerType, seconds uint32) gateway.Result {
	return d.note("start_timer %d %d", timer, seconds)
}

func (d *device) Publish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result {
	d.note("publish %s %d %q wanted=%v", topic, qos, payload, done != nil)
	return d.done(done)
}

func (d *device) Subscribe(filter string, qos uint32, done gateway.Done) gateway.Result {
	d.note("subscribe %s %d", filter, qos)
	return d.done(done)
}

func (d *device) Unsubscribe(filter string, done gateway.Done) gateway.Result {
	d.note("unsubscribe %s", filter)
	return d.done(done)
}

func (d *device) Pause()                 { d.note("pause") }
func (d *device) Resume() gateway.Result { return d.note("resume") }

func (d *device) Post(event func() error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed != nil {
		return false
	}
	d.posted <- event
	return true
}

// silent is an adapter that does nothing, and nothing slowly.
type silent struct{ *device }

func (silent) Send([]byte) gateway.Result { return gateway.OK }
