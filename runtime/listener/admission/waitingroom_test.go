package admission

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// The bounds are never exceeded, and each slot that was not released is either evicted or still inside.
func TestWaitingRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most, perPrefix := rapid.IntRange(1, 10).Draw(t, "max"), rapid.IntRange(0, 4).Draw(t, "max of a prefix")
		r := NewWaitingRoom(most, perPrefix)
		inside := make(map[*Slot]bool)
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			if len(inside) > 0 && rapid.Bool().Draw(t, "leaves") {
				for w := range inside {
					r.Leave(w)
					r.Leave(w) // again, or after it was evicted: nothing
					delete(inside, w)
					break
				}
				continue
			}
			source := netip.AddrFrom4([4]byte{10, 0, rapid.Byte().Draw(t, "prefix") % 5, 1})
			var w *Slot
			w = NewSlot(source, func() {
				if !inside[w] {
					t.Fatal("one who is not inside was evicted")
				}
				delete(inside, w)
				r.Leave(w)
			})
			r.Enter(w)
			inside[w] = true
			if r.Len() != len(inside) || len(inside) > most {
				t.Fatalf("%d inside, the room says %d of at most %d", len(inside), r.Len(), most)
			}
			if own := r.prefixes[w.prefix].Len(); perPrefix > 0 && own > perPrefix {
				t.Fatalf("%d of one prefix, at most %d", own, perPrefix)
			}
		}
		for w := range inside {
			r.Leave(w)
		}
		if r.Len() != 0 || len(r.prefixes) != 0 {
			t.Errorf("an empty room holds %d, %d prefixes", r.Len(), len(r.prefixes))
		}
	})
}

// A full prefix evicts its own and leaves the others alone.
func TestWaitingRoomPrefixEvictsItsOwn(t *testing.T) {
	r := NewWaitingRoom(100, 2)
	other := NewSlot(netip.MustParseAddr("2001:db8::1"), func() { t.Error("another prefix was evicted") })
	r.Enter(other)
	evicted := 0
	for range 50 {
		r.Enter(NewSlot(netip.MustParseAddr("2001:db8:0:1::1"), func() { evicted++ }))
	}
	if evicted != 48 || r.Len() != 3 {
		t.Errorf("%d evicted, %d inside", evicted, r.Len())
	}
}
