package mqtt

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestSharedSpool has devices log in, publish, log out and in again while the broker has not been there yet: all is kept, and arrives in order.
func TestSharedSpool(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	listener := listen(t, b.URL(), "spooled/#")
	b.Stop(t)
	s := newShared(t, spooled(t, b.URL()), SharedConfig{Connections: 2})
	const devices, rounds, messages = 10, 4, 10
	for round := range rounds {
		var calls []*connectortest.Call
		for i := range devices {
			m := logIn(t, s, fmt.Sprint("device-", i))
			for n := range messages {
				call := connectortest.NewCall()
				calls = append(calls, call)
				m.Publish("spooled/"+m.id, byte(1+n%2), []byte(strconv.Itoa(round*messages+n)), call.Done)
			}
			if i%2 == 0 {
				m.Close()
			}
		}
		for _, call := range calls {
			if r := call.Result(t); !r.Ok() {
				t.Fatal(r)
			}
		}
	}
	b.Restart(t)
	last := logIn(t, s, "device-0")
	publish(t, last, "spooled/"+last.id, 1, strconv.Itoa(rounds*messages))
	next := make([]int, devices)
	for !slices.Equal(next, append([]int{rounds*messages + 1}, slices.Repeat([]int{rounds * messages}, devices-1)...)) {
		got := listener.Next(t)
		var device int
		if _, err := fmt.Sscanf(got.Topic, "spooled/device-%d", &device); err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(got.Payload))
		if err != nil || n > next[device] {
			t.Fatalf("device %d: got %s, want %d", device, got.Payload, next[device])
		}
		next[device] = max(next[device], n+1)
	}
	gatewaytest.Eventually(t, "the spool to be empty", func() bool { return len(s.broker.spool.spool.Left()) == 0 })
	if n := testutil.ToFloat64(s.broker.metrics.dropped.WithLabelValues(dropRefused)); n > 0 {
		t.Errorf("%v messages were refused", n)
	}
}
