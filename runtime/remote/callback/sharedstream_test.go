package callback

import (
	"testing"

	"pgregory.net/rapid"
)

// A tail keeps the last events, and their data only while it is complete and small.
func TestTailIsWholeOrBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(0, tailBytes/8), 0, 3*tailEvents).Draw(t, "sizes")
		var tail tail
		var all []*sharedEvent
		sum := 0
		for _, n := range sizes {
			e := &sharedEvent{data: make(encoded, n)}
			tail.add(e)
			all, sum = append(all, e), sum+n
		}
		events, whole := tail.take()
		if want := len(all) <= tailEvents && sum <= tailBytes; whole != want {
			t.Fatalf("%d events of %d bytes: whole is %v", len(all), sum, whole)
		}
		last := all[max(0, len(all)-tailEvents):]
		if len(events) != len(last) {
			t.Fatalf("%d of %d events were kept", len(events), len(all))
		}
		for i, e := range events {
			if e != last[i] || (e.data != nil) != whole {
				t.Fatalf("event %d of %d is another, or has its data: %v", i, len(events), e.data != nil)
			}
		}
		if events, whole := tail.take(); len(events) != 0 || !whole {
			t.Fatal("the tail was not emptied")
		}
	})
}
