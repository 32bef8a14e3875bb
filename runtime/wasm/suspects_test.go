package wasm

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestSourceIsAnAddressOrAPrefix(t *testing.T) {
	for peer, want := range map[string]string{
		"192.0.2.1:5":           "192.0.2.1/32",
		"[::ffff:192.0.2.1]:80": "192.0.2.1/32",
		"[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:5":      "fe80::/64",
	} {
		if got := sourceOf(netip.MustParseAddrPort(peer)); got.String() != want {
			t.Errorf("%s: %v, want %s", peer, got, want)
		}
	}
	if got := sourceOf(netip.AddrPort{}); got != (netip.Prefix{}) {
		t.Errorf("no address: %v", got)
	}
}

func source(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
}

// step is a fault, or a question where want is set.
type step struct {
	after  time.Duration
	source int
	shard  bool
	want   string
}

func TestWhoIsSetApart(t *testing.T) {
	const ask = "none"
	for name, steps := range map[string][]step{
		"a source that ended an instance, until it has not for an hour": {
			{0, 1, true, ""},
			{suspectFor - 1, 1, false, apartSuspect},
			{0, 2, false, ask},
			{2, 1, false, ask},
		},
		"everybody after a second loss": {
			{0, 1, true, ""},
			{alarmWithin - 1, 2, true, ""},
			{0, 3, false, apartAlarm},
			{0, 2, false, apartSuspect},
			{alarmFor - 1, 3, false, apartAlarm},
			{2, 3, false, ask},
		},
		"nobody after losses that are far apart": {
			{0, 1, true, ""},
			{alarmWithin, 2, true, ""},
			{0, 3, false, ask},
		},
		"faults of new sources keep the alarm up": {
			{0, 1, true, ""},
			{0, 2, true, ""},
			{alarmFor - 1, 4, false, ""},
			{alarmFor - 1, 3, false, apartAlarm},
		},
		"faults of known sources do not": {
			{0, 1, true, ""},
			{0, 2, true, ""},
			{alarmFor - 1, 1, false, ""},
			{alarmFor - 1, 3, false, ask},
		},
		"faults apart raise no alarm": {
			{0, 1, true, ""},
			{0, 1, false, ""},
			{0, 2, false, ""},
			{0, 3, false, ask},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s suspects
			now := time.Now()
			for i, step := range steps {
				now = now.Add(step.after)
				switch step.want {
				case "":
					s.fault(source(step.source), step.shard, now)
					continue
				case ask:
					step.want = apartNot
				}
				if got := s.why(source(step.source), now); got != step.want {
					t.Errorf("step %d: %q, want %q", i, got, step.want)
				}
			}
		})
	}
}

func TestSuspectsAreBounded(t *testing.T) {
	var s suspects
	now := time.Now()
	for n := range 3 * maxSuspects {
		s.fault(source(n), false, now.Add(time.Duration(n)))
	}
	if len(s.faults) != maxSuspects {
		t.Errorf("%d sources are remembered", len(s.faults))
	}
	last := source(3*maxSuspects - 1)
	if got := s.why(last, now.Add(time.Second)); got != apartSuspect {
		t.Error(fmt.Sprint("the last source is forgotten: ", got))
	}
}
