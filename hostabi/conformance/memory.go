package conformance

import (
	"fmt"

	"github.com/exgate/exgate/hostabi"
)

// steadyRounds is the number of rounds within which the memory must stop growing: a garbage-collected runtime grows at
// first.
const steadyRounds = 4

// steady repeats a round until the memory does not grow during one.
func (t *trial) steady(round func()) string {
	round()
	size := t.guest.Memory()
	for range steadyRounds {
		round()
		if t.over() {
			return ""
		}
		now := t.guest.Memory()
		if now <= size {
			return fmt.Sprintf("the memory stayed at %d KiB", now>>10)
		}
		size = now
	}
	t.failf("the memory grew in each of %d rounds, to %d KiB: the guest leaks memory", steadyRounds+1,
		size>>10)
	return ""
}

func memoryConnections(t *trial) string {
	const n = 10_000
	samples := t.run.options.Samples
	state := t.steady(func() {
		for i := 0; i < n && !t.over(); i++ {
			d := t.device()
			d.bytes(samples[i%len(samples)])
			d.close("tcp_closed")
		}
	})
	return fmt.Sprintf("%s while %d connections opened and closed, and then as many again", state, n)
}

func memoryEvents(t *trial) string {
	const n = 10_000
	samples := t.run.options.Samples
	messages := hostabi.AppendMessage(nil, message(1))
	d := t.device()
	state := t.steady(func() {
		for i := 0; i < n && !t.over(); i++ {
			d.bytes(samples[i%len(samples)])
			d.event(hostabi.KindMessages, 0, messages)
		}
	})
	d.close("tcp_closed")
	return fmt.Sprintf("%s during %d events on one connection, and as many again", state, 2*n)
}
