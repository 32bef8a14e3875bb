package convert

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/exgate/exgate/runtime/gateway"
)

func TestBatchesKeepEveryMessageInOrderAndInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.IntRange(0, 50), 0, 40).Draw(t, "lengths")
		count := rapid.IntRange(1, 10).Draw(t, "count")
		size := rapid.IntRange(1, 100).Draw(t, "size")
		messages := make([]gateway.Message, len(lengths))
		for i, n := range lengths {
			messages[i] = gateway.Message{QoS: byte(i), Payload: make([]byte, n)}
		}
		next := uint32(0)
		for batch := range Batches(messages, count, size) {
			bytes := 0
			for _, m := range batch {
				bytes += len(m.GetPayload())
				if m.GetQos() != next {
					t.Fatalf("message %d came where %d was due", m.GetQos(), next)
				}
				next++
			}
			if len(batch) == 0 || len(batch) > count || (len(batch) > 1 && bytes > size) {
				t.Fatalf("a batch of %d messages and %d bytes", len(batch), bytes)
			}
		}
		if int(next) != len(messages) {
			t.Fatalf("%d of %d messages came", next, len(messages))
		}
	})
}

func TestTimestampsAreNeverNegative(t *testing.T) {
	for at, want := range map[time.Time]uint64{
		{}: 0, time.UnixMilli(-5): 0, time.UnixMilli(1700000000123): 1700000000123,
	} {
		if got := milliseconds(at); got != want {
			t.Errorf("%v: %d, want %d", at, got, want)
		}
	}
}
