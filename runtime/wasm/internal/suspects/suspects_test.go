package suspects

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func source(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
}

// step is a fault, or a call of Reason if want is set.
type step struct {
	after  time.Duration
	source int
	shard  bool
	want   string
}

func TestReason(t *testing.T) {
	const ask = "none"
	for name, steps := range map[string][]step{
		"a source that ended an instance, for an hour": {
			{0, 1, true, ""},
			{suspectFor - 1, 1, false, Suspect},
			{0, 2, false, ask},
			{2, 1, false, ask},
		},
		"every source after a second loss": {
			{0, 1, true, ""},
			{alarmWithin - 1, 2, true, ""},
			{0, 3, false, Alarm},
			{0, 2, false, Suspect},
			{AlarmFor - 1, 3, false, Alarm},
			{2, 3, false, ask},
		},
		"no source after losses that are far apart": {
			{0, 1, true, ""},
			{alarmWithin, 2, true, ""},
			{0, 3, false, ask},
		},
		"faults of new sources keep the alarm up": {
			{0, 1, true, ""},
			{0, 2, true, ""},
			{AlarmFor - 1, 4, false, ""},
			{AlarmFor - 1, 3, false, Alarm},
		},
		"faults of known sources do not": {
			{0, 1, true, ""},
			{0, 2, true, ""},
			{AlarmFor - 1, 1, false, ""},
			{AlarmFor - 1, 3, false, ask},
		},
		"faults apart raise no alarm": {
			{0, 1, true, ""},
			{0, 1, false, ""},
			{0, 2, false, ""},
			{0, 3, false, ask},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s Set
			now := time.Now()
			for i, step := range steps {
				now = now.Add(step.after)
				switch step.want {
				case "":
					s.Fault(source(step.source), step.shard, now)
					continue
				case ask:
					step.want = None
				}
				if got := s.Reason(source(step.source), now); got != step.want {
					t.Errorf("step %d: %q, want %q", i, got, step.want)
				}
			}
		})
	}
}

func TestSuspectsAreBounded(t *testing.T) {
	var s Set
	now := time.Now()
	for n := range 3 * maxSources {
		s.Fault(source(n), false, now.Add(time.Duration(n)))
	}
	if len(s.faults) != maxSources {
		t.Errorf("%d sources are remembered", len(s.faults))
	}
	last := source(3*maxSources - 1)
	if got := s.Reason(last, now.Add(time.Second)); got != Suspect {
		t.Error(fmt.Sprint("the last source is forgotten: ", got))
	}
}
