package mqtt

import (
	"strconv"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/runtime/gateway"
)

// stuckDevice is a device whose queue takes nothing. For a message of QoS 1 or 2 it is closed, as a connection is.
type stuckDevice struct {
	*connectortest.Device
	mu      sync.Mutex
	session gateway.Session // guarded by mu
}

func (f *stuckDevice) Deliver(m gateway.Message) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.QoS > 0 {
		f.session.Close()
	}
	return false
}

// TestFullDevice has devices that take nothing beside one that does, on one connection: it gets everything, and the broker its acknowledgements.
func TestFullDevice(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	m := logIn(t, s, "device")
	m.subscribe(t, "t", 1)
	var stuck [2]*stuckDevice
	for qos := range stuck {
		f := &stuckDevice{Device: connectortest.NewDevice()}
		session, err := tryLogIn(s, "full-"+strconv.Itoa(qos), f)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		f.mu.Lock()
		f.session, stuck[qos] = session, f
		f.mu.Unlock()
		if r := connectortest.Subscribe(t, session, "t", byte(qos)); !r.Ok() {
			t.Fatal(r)
		}
	}
	const n = 3000 // more than the broker may send without an acknowledgement
	for i := range n {
		b.publish("t", strconv.Itoa(i), 1)
	}
	b.flush(t, 2)
	for i := range n {
		m.wants(t, strconv.Itoa(i))
	}
	if s.session("full-1") != nil || s.session("full-0") == nil {
		t.Error("the device with QoS 1 is to be closed, that with QoS 0 not")
	}
	if dropped := testutil.ToFloat64(s.broker.metrics.dropped.WithLabelValues(dropDeviceFull)); dropped != n+1 {
		t.Errorf("%v dropped messages are counted, want %d", dropped, n+1)
	}
}
