package wasm

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Limits bound a module and each of its instances. The limits of an event apply to each event separately. Errors and
// metrics name a limit as the configuration does, such as memory_pages.
type Limits struct {
	// ModuleBytes is the maximum size of the module's file. If zero, 32 MiB; at most 64 MiB.
	ModuleBytes uint32

	// Functions is the maximum number of functions of the module. If zero, 100,000; at most 200,000.
	Functions uint32

	// CodeBytes is the maximum size of all function bodies together. It bounds the time and memory that compiling
	// takes. If zero, 16 MiB. A guest written in Go has 1 to 4 MB, and compiling takes about a second for each.
	CodeBytes uint32

	// MemoryPages is the maximum size of the memory, in pages of 64 KiB. If zero, 256 (16 MiB). Guests written in Go
	// need 1,024.
	MemoryPages uint32

	// TableElements is the maximum size of each table. If zero, 100,000.
	TableElements uint32

	// Fuel is what an event may spend: one unit for each call and loop iteration, and more for long ones. A unit is
	// about a nanosecond. Guests written in Go collect garbage inside events, which takes 700,000 units for each live
	// MB. If zero, 2,000,000, or 20,000,000 for a script, which an interpreter runs.
	Fuel uint32

	// FuelPerByte is added to Fuel for each byte of the event's body, since a large body is more work: 64 KiB of line
	// ends are 65,536 frames. If zero, 100, or 12,000 for a script.
	FuelPerByte uint32

	// StartFuel is what each step of starting an instance may spend: the start function, _initialize, exproto_v1_init.
	// If zero, 50 times Fuel.
	StartFuel uint32

	// WallTime is the processor time that an event of a module that is not metered may take (see UnmeteredContext);
	// outside of Linux it is elapsed time. If zero, 1 s. It does not apply to metered modules: Fuel, HostCalls and
	// CallBytes bound their events.
	WallTime time.Duration

	// StartTime is WallTime for each step of starting. If zero, 10 s.
	StartTime time.Duration

	// HostCalls is the maximum number of host calls of an event. If zero, 10,000.
	HostCalls int

	// CallBytes is the number of bytes that an event may pass to the host in calls: sent, published, random. Calls
	// beyond it return LIMIT. If zero, 1 MiB.
	CallBytes int

	// EventBytes is the maximum size of an event's body. More received bytes come in several events; a larger message
	// is offered to the guest, and dropped if the guest refuses it. If zero, 65,536, so that no datagram is split.
	EventBytes uint32

	// Waiting is the number of events that may wait for one instance, at most one of each connection. The connection of
	// another event is closed. If zero, 65,536.
	Waiting int

	// Instances is the maximum number of instances with IsolationConnection. Further connections are refused. If zero,
	// 10,000.
	Instances int

	// LogLines is the number of lines that an instance may log in a second, after a burst of five times as many. The
	// instances of single connections share it. As many lines about the ends of those instances are logged. If zero,
	// 20.
	LogLines int
}

// The names of limits, as the configuration has them.
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
	if l.WallTime < 0 || l.StartTime < 0 || l.HostCalls < 0 || l.CallBytes < 0 || l.Waiting < 0 || l.Instances < 0 ||
		l.LogLines < 0 {
		return errors.New("a limit is negative")
	}
	return nil
}

// ofScript returns the limits with the defaults of scripts, which an interpreter runs.
func (l Limits) ofScript() Limits {
	l.Fuel = cmp.Or(l.Fuel, 20_000_000)
	l.FuelPerByte = cmp.Or(l.FuelPerByte, 12_000)
	return l
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

// eventFuel returns what an event with a body of n bytes may spend.
func (l *Limits) eventFuel(n int) uint32 {
	return uint32(min(uint64(l.Fuel)+uint64(n)*uint64(l.FuelPerByte), maxFuel))
}
