package chaos

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

const (
	floods = 10

	// mostOfFlood is 32 MiB a device, which nothing between it and the broker has room for.
	mostOfFlood = 32 << 10

	// heldOfFlood is what the gateway may take from a device: limits.publish_window_bytes, and one read of its socket.
	heldOfFlood = 64<<10 + 16<<10

	// memoryOfFloods is a tenth of what the devices would send.
	memoryOfFloods = floods * mostOfFlood << 10 / 10
)

// TestBackPressure pauses the broker under devices that send as fast as they can: they have to wait, the gateway holds
// little of each, and when the broker goes on nothing is missing.
func TestBackPressure(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		b := mosquitto.Start(t, mosquitto.Options{})
		l := subscribe(t, b, floods)
		g := startGateway(t, b, m.settings, smallBuffers)
		var fleet []*flood
		for i := range floods {
			fleet = append(fleet, startFlood(t, g.devices, "flood"+strconv.Itoa(i), "pub1 "+topicOf(i), mostOfFlood))
		}
		gatewaytest.Eventually(t, "messages of every device", func() bool { return l.devices() == floods })
		b.Pause(t)
		before, memory := g.metric("exgate_received_bytes_total"), g.memory()
		gatewaytest.Eventually(t, "every socket to be left unread", func() bool {
			return g.metric("exgate_read_pauses_total", "upstream") >= floods
		})
		awaitStandstill(t, fleet)
		if n := g.metric("exgate_received_bytes_total") - before; n > floods*heldOfFlood {
			t.Errorf("the gateway took %v bytes more, want %d at most", n, floods*heldOfFlood)
		}
		grown := g.memory() - memory
		if grown > memoryOfFloods {
			t.Errorf("the gateway took %d bytes of memory more", grown)
		}
		b.Resume(t)
		sent := finishFloods(t, fleet)
		l.check(t, sent, 0)
		t.Logf("%d messages, %d KiB of memory more, %v pauses", sent, grown>>10,
			g.metric("exgate_read_pauses_total", "upstream"))
	})
}

// standstill is how long no device may have written before back pressure counts as reached.
const standstill = 300 * time.Millisecond

// awaitStandstill waits until no device can write any longer, before it has written all.
func awaitStandstill(t *testing.T, fleet []*flood) {
	t.Helper()
	last, since := int64(0), time.Now()
	gatewaytest.Eventually(t, "the devices to wait", func() bool {
		if n := written(fleet); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > standstill
	})
	for _, f := range fleet {
		if n := f.written.Load(); n == mostOfFlood {
			t.Errorf("%s: all %d messages were taken", f.command, n)
		}
	}
}

func written(fleet []*flood) (n int64) {
	for _, f := range fleet {
		n += f.written.Load()
	}
	return n
}

// finishFloods ends the floods and returns how many messages they have sent, all of them acknowledged.
func finishFloods(t *testing.T, fleet []*flood) int {
	t.Helper()
	for _, f := range fleet {
		f.stop()
	}
	for _, f := range fleet {
		if err := f.confirm(); err != nil {
			t.Fatalf("%s: %v", f.command, err)
		}
	}
	return int(written(fleet))
}

// memory is the resident memory in bytes.
func (g *exgate) memory() int {
	g.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", g.process.PID()))
	if err != nil {
		g.t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		g.t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
