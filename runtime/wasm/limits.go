package wasm

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Limits bound a module and each of its instances. What an event may do is counted for each event anew. In errors and metrics a limit
// has the name of its field, as in memory_pages.
type Limits struct {
	// ModuleBytes is how large the module's file may be. If zero, 32 MiB; at most 64 MiB.
	ModuleBytes uint32

	// Functions is how many functions the module may have. If zero, 100,000; at most 200,000.
	Functions uint32

	// CodeBytes is how large all function bodies may be together, which bounds the time and the memory of compiling them. If zero, 16 MiB. A
	// guest written in Go has 1 to 4 MB, and takes about a second for each.
	CodeBytes uint32

	// MemoryPages is how large the memory may grow, in pages of 64 KiB. If zero, 256 (16 MiB). Guests written in Go need 1,024.
	MemoryPages uint32

	// TableElements is how large each table may grow. If zero, 100,000.
	TableElements uint32

	// Fuel is what an event may spend: one unit for each call and loop iteration, more where those are long; a unit is about a nanosecond.
	// Guests written in Go collect garbage inside events, which takes 700,000 units for each MB that is live. If zero, 2,000,000.
	Fuel uint32

	// FuelPerByte is what an event may spend beyond Fuel for each byte of its body. A large body is more work: 64 KiB of line ends are 65,536 frames. If
	// zero, 100.
	FuelPerByte uint32

	// StartFuel is what each step of starting an instance may spend: the start function, _initialize, exproto_v1_init. If zero, 50 times Fuel.
	StartFuel uint32

	// WallTime is how much processor time an event may take in a module that is not metered (see UnmeteredContext); outside of Linux it is
	// the time that passes. If zero, 1 s. It does not apply to metered modules: Fuel, HostCalls and CallBytes bound what their events do.
	WallTime time.Duration

	// StartTime is WallTime for each step of starting. If zero, 10 s.
	StartTime time.Duration

	// HostCalls is how often an event may call the host. If zero, 10,000.
	HostCalls int

	// CallBytes is how many bytes an event may hand to the host in calls: sent, published, random. Calls over it return LIMIT. If zero, 1 MiB.
	CallBytes int

	// EventBytes is the largest body of an event. Received bytes above it come in several events; a single message above it is offered to
	// the guest and dropped where it refuses. If zero, 65,536, so that no datagram is split.
	EventBytes uint32

	// Waiting is how many events may wait for one instance, at most one of each connection. Above it the connection of the event closes. If zero, 65,536.
	Waiting int

	// Instances is how many instances there may be where each connection has its own. A connection above it is refused. If zero, 10,000.
	Instances int

	// LogLines is how many lines a second an instance may log, after a burst of five times as many; all together where each connection has its
	// own. Lines about the ends of those are bounded by as many. If zero, 20.
	LogLines int
}

// The names of limits that an instance can reach.
const (
	limitMemoryPages   = "memory_pages"
	limitTableElements = "table_elements"
	limitFuel          = "fuel"
	limitStartFuel     = "start_fuel"
	limitWallTime      = "wall_time"
	limitStartTime     = "start_time"
	limitHostCalls     = "host_calls"
	limitCallBytes     = "send_bytes"
	limitEventBytes    = "event_bytes"
	limitWaiting       = "waiting"
	limitInstances     = "instances"
	limitLogLines      = "log_lines"
)

const (
	maxFuel  = 1<<31 - 1
	maxPages = 1 << 16
)

func (l Limits) check() error {
	if l.MemoryPages > maxPages {
		return fmt.Errorf("limit memory_pages is %d: at most %d (4 GiB)", l.MemoryPages, maxPages)
	}
	if l.WallTime < 0 || l.StartTime < 0 || l.HostCalls < 0 || l.CallBytes < 0 || l.Waiting < 0 || l.Instances < 0 || l.LogLines < 0 {
		return errors.New("a limit is negative")
	}
	return nil
}

func (l Limits) withDefaults() Limits {
	l.ModuleBytes = cmp.Or(l.ModuleBytes, 32<<20)
	l.Functions = cmp.Or(l.Functions, 100_000)
	l.CodeBytes = cmp.Or(l.CodeBytes, 16<<20)
	l.MemoryPages = cmp.Or(l.MemoryPages, 256)
	l.TableElements = cmp.Or(l.TableElements, 100_000)
	l.Fuel = min(cmp.Or(l.Fuel, 2_000_000), maxFuel)
	l.FuelPerByte = cmp.Or(l.FuelPerByte, 100)
	l.StartFuel = cmp.Or(l.StartFuel, uint32(min(uint64(l.Fuel)*50, maxFuel)))
	l.StartFuel = min(l.StartFuel, maxFuel)
	l.WallTime = cmp.Or(l.WallTime, time.Second)
	l.StartTime = cmp.Or(l.StartTime, 10*time.Second)
	l.HostCalls = cmp.Or(l.HostCalls, 10_000)
	l.CallBytes = cmp.Or(l.CallBytes, 1<<20)
	l.EventBytes = cmp.Or(l.EventBytes, 64<<10)
	l.Waiting = cmp.Or(l.Waiting, 65_536)
	l.Instances = cmp.Or(l.Instances, 10_000)
	l.LogLines = cmp.Or(l.LogLines, 20)
	return l
}

// eventFuel is what an event with a body of n bytes may spend.
func (l *Limits) eventFuel(n int) uint32 {
	return uint32(min(uint64(l.Fuel)+uint64(n)*uint64(l.FuelPerByte), maxFuel))
}
