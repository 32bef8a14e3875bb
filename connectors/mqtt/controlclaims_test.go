package mqtt

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestBadClaims ignores and counts what no gateway says, and what one says of itself.
func TestBadClaims(t *testing.T) {
	b := newMemoryBroker(t)
	s := newGateway(t, b.url(), "x")
	m := logIn(t, s, "device")
	ahead := uint64(time.Now().Add(farFuture + time.Hour).UnixMicro())
	for name, c := range map[string]struct {
		payload string
		bad     float64
	}{
		"far future":  {claimsOf("y", claim{"device", ahead}), 1},
		"largest":     {claimsOf("y", claim{"device", 1<<64 - 1}), 1},
		"no JSON":     {"\x00device", 1},
		"empty":       {"", 1},
		"other types": {`{"node":1,"claims":"device"}`, 1},
		"too long":    {claimsOf("y", claim{"device", s.session("device").epoch + 1}) + strings.Repeat(" ", 1<<20), 1},
		"its own":     {claimsOf("x", claim{"device", s.session("device").epoch + 1}), 0},
		"nothing":     {`{}`, 0},
	} {
		before := testutil.ToFloat64(s.broker.metrics.dropped.WithLabelValues(dropClaim))
		b.publish("exgate/control/claims", c.payload, 1)
		b.flush(t, 2)
		if got := testutil.ToFloat64(s.broker.metrics.dropped.WithLabelValues(dropClaim)) - before; got != c.bad || m.Losses() > 0 {
			t.Errorf("%s: %v are counted, want %v; %d losses", name, got, c.bad, m.Losses())
		}
	}
	b.publish("exgate/control/claims", claimsOf("y", claim{"device", s.session("device").epoch + 1}), 1)
	wantDiscarded(t, m)
}

func claimsOf(node string, claims ...claim) string {
	text, _ := json.Marshal(announcement{node, claims})
	return string(text)
}

// TestLongClaims tells of devices with the longest client ids in messages that others read.
func TestLongClaims(t *testing.T) {
	b := newMemoryBroker(t)
	x, y := newGateway(t, b.url(), "x"), newGateway(t, b.url(), "y")
	logIn(t, y, "unrelated")
	first := logIn(t, x, "first")
	b.stop()
	awaitDown(t, x.broker.houseClient())
	awaitDown(t, y.broker.houseClient())
	var early []*member
	for i := range 20 {
		early = append(early, logIn(t, y, fmt.Sprint(i, strings.Repeat("<", 60<<10))))
	}
	hears(t, y, x.session("first").epoch)
	newEpoch(x, time.Minute)
	for _, m := range early {
		logIn(t, x, m.id)
	}
	b.start(true)
	for _, m := range early {
		wantDiscarded(t, m)
	}
	if first.Losses() > 0 {
		t.Fatal(first.Lost(t))
	}
}

// TestLateClaim does not let an earlier login of a device replace what is to be told of a later one.
func TestLateClaim(t *testing.T) {
	c := &control{pending: map[string]uint64{}, telling: true}
	c.claim("device", 2)
	c.claim("device", 1)
	if epoch := c.pending["device"]; epoch != 2 {
		t.Fatalf("the login of epoch %d is told", epoch)
	}
}

// TestClaimsOfTheGone forgets logins that ended while the broker was away.
func TestClaimsOfTheGone(t *testing.T) {
	b := newMemoryBroker(t)
	s := newGateway(t, b.url(), "x")
	logIn(t, s, "first")
	b.stop()
	awaitDown(t, s.broker.houseClient())
	for i := range 1000 {
		logIn(t, s, fmt.Sprint("device-", i)).Close()
	}
	stays := logIn(t, s, "stays")
	s.control.mu.Lock()
	defer s.control.mu.Unlock()
	if n := len(s.control.pending); n > 1 {
		t.Fatalf("%d logins are to be told, beside that of %s", n, stays.id)
	}
}

// FuzzClaims wants no payload of a control message to do more than it may.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		"", "{}", claimsOf("y", claim{"device", 1}), claimsOf("y", claim{"device", 1 << 63}), `{"node":"y","claims":[{"id":"\ud800","epoch":-1}]}`,
		`{"node":"x","claims":[{"id":"device","epoch":18446744073709551615}]}`, strings.Repeat("[", 20000),
	} {
		f.Add([]byte(seed))
	}
	b, err := newBroker(Config{URL: "mqtt://127.0.0.1:1", ControlTopic: "c"})
	if err != nil {
		f.Fatal(err)
	}
	close(b.quit)
	b.workers.Wait()
	f.Fuzz(func(t *testing.T, payload []byte) {
		s := &Shared{broker: b}
		s.control = newControl(s)
		s.control.message(&paho.Publish{Topic: s.control.claims, Payload: payload})
		if limit := uint64(time.Now().Add(farFuture).UnixMicro()); s.control.epoch > limit {
			t.Fatalf("the epoch is %d, above %d", s.control.epoch, limit)
		}
	})
}
