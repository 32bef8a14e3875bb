package connectortest

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

// testOrder publishes with a window of unacknowledged calls, as a connection does, and expects every message once and
// in order.
func (f *fixture) testOrder(t *testing.T) {
	n := 10000
	if testing.Short() {
		n = 1000
	}
	from, _ := f.connect(t, unique("from"))
	to, d := f.connect(t, unique("to"))
	topic := unique("topic")
	wantOK(t, "subscribing", Subscribe(t, to, topic, 1))
	window := make(chan struct{}, 16)
	for i := range n {
		window <- struct{}{}
		from.Publish(topic, 1, []byte(strconv.Itoa(i)), nil, func(r gateway.Result) {
			if !r.Ok() {
				t.Errorf("publish %d: %v", i, r)
			}
			<-window
		})
	}
	for i := range n {
		if m := d.Next(t); string(m.Payload) != strconv.Itoa(i) {
			t.Fatalf("got %s, want %d", m.Payload, i)
		}
	}
	for range cap(window) { // the last results may arrive after the last message
		window <- struct{}{}
	}
}

// testConcurrent uses one session from many goroutines.
func (f *fixture) testConcurrent(t *testing.T) {
	s, d := f.connect(t, unique("client"))
	topic := unique("topic")
	wantOK(t, "subscribing", Subscribe(t, s, topic+"/#", 1))
	const workers, each = 8, 25
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				name := fmt.Sprintf("%s/%d/%d", topic, w, i)
				if r := Subscribe(t, s, name+"/own", 0); !r.Ok() {
					t.Errorf("subscribing: %v", r)
				}
				if r := Publish(t, s, name, byte(i%3), "x"); !r.Ok() {
					t.Errorf("publishing: %v", r)
				}
				if r := Unsubscribe(t, s, name+"/own"); !r.Ok() {
					t.Errorf("unsubscribing: %v", r)
				}
			}
		})
	}
	wg.Wait()
	d.AwaitUnread(t, workers*each)
}
