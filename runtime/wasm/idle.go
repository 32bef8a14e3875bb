package wasm

import "time"

// restAfter is how long an instance of one connection has no event before it gives back what only events need. It may be twice as long.
const restAfter = 10 * time.Second

// watchIdle lets instances rest until the engine closes.
func (i *isolated) watchIdle() {
	tick := time.NewTicker(restAfter)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			i.rest()
		case <-i.engine.starting.Done():
			return
		}
	}
}

// rest frees the stacks of instances that had no event since the last rest. One that is in an event is passed over.
func (i *isolated) rest() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for in := range i.live {
		if !in.mu.TryLock() {
			continue
		}
		if !in.active {
			in.bytes = nil
		}
		in.active = false
		in.mu.Unlock()
	}
}
