package wasi

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

func noFile(Guest, api.Memory, []uint64) errno  { return errnoBadFile }
func nothing(Guest, api.Memory, []uint64) errno { return errnoSuccess }
func unknown(Guest, api.Memory, []uint64) errno { return errnoNoSys }

// noList reports a count and a size of 0: there are no arguments and no environment variables.
func noList(_ Guest, m api.Memory, s []uint64) errno {
	return fault(m.WriteUint32Le(uint32(s[0]), 0) && m.WriteUint32Le(uint32(s[1]), 0))
}

func fault(ok bool) errno {
	if !ok {
		return errnoFault
	}
	return errnoSuccess
}

func exit(_ Guest, _ api.Memory, s []uint64) errno { panic(sys.NewExitError(uint32(s[0]))) }

const (
	clockRealtime  = 0
	clockMonotonic = 1
	clockProcess   = 2
)

var processStart = time.Now()

// clockTime reads a clock. The processor time of the process is the fuel that the event has used, as nanoseconds: a
// unit is about one, and the same event takes as much each time.
func clockTime(g Guest, m api.Memory, s []uint64) errno {
	var now int64
	switch uint32(s[0]) {
	case clockRealtime:
		now = time.Now().UnixNano()
	case clockMonotonic:
		now = int64(time.Since(processStart))
	case clockProcess:
		now = int64(g.Spent())
	default:
		return errnoInvalid
	}
	return fault(m.WriteUint64Le(uint32(s[2]), uint64(now)))
}

func clockResolution(_ Guest, m api.Memory, s []uint64) errno {
	if uint32(s[0]) > clockProcess {
		return errnoInvalid
	}
	return fault(m.WriteUint64Le(uint32(s[1]), 1))
}

// random fills memory with random bytes. They are charged like bytes sent.
func random(g Guest, m api.Memory, s []uint64) errno {
	b, ok := m.Read(uint32(s[0]), uint32(s[1]))
	if !ok {
		return errnoFault
	}
	if !g.Pay(len(b)) {
		return errnoAgain
	}
	_, _ = rand.Read(b) // never fails: see its documentation
	return errnoSuccess
}

const (
	maxVectors       = 64
	vectorBytes      = 8
	maxSubscriptions = 64
	subscription     = 48
	event            = 32
)

// fdWrite logs what is written to standard output and standard error. It always reports that everything was written.
func fdWrite(g Guest, m api.Memory, s []uint64) errno {
	stream, count := int(uint32(s[0]))-1, uint32(s[2])
	if stream != 0 && stream != 1 {
		return errnoBadFile
	}
	if count > maxVectors {
		return errnoInvalid
	}
	vectors, ok := m.Read(uint32(s[1]), count*vectorBytes)
	if !ok {
		return errnoFault
	}
	written := uint32(0)
	for v := vectors; len(v) > 0; v = v[vectorBytes:] {
		b, ok := m.Read(binary.LittleEndian.Uint32(v), binary.LittleEndian.Uint32(v[4:]))
		if !ok {
			return errnoFault
		}
		if g.Pay(len(b)) {
			g.Write(stream, b)
		}
		written += uint32(len(b))
	}
	return fault(m.WriteUint32Le(uint32(s[3]), written))
}

// fdRead reports the end of standard input.
func fdRead(_ Guest, m api.Memory, s []uint64) errno {
	if uint32(s[0]) != 0 {
		return errnoBadFile
	}
	return fault(m.WriteUint32Le(uint32(s[3]), 0))
}

// fdStat describes the three standard streams as character devices.
func fdStat(_ Guest, m api.Memory, s []uint64) errno {
	if uint32(s[0]) > 2 {
		return errnoBadFile
	}
	stat := [24]byte{0: 2}
	return fault(m.Write(uint32(s[1]), stat[:]))
}

// poll never waits: it reports that each timer has expired, and fails for everything else. A guest that sleeps spins
// instead, until it runs out of fuel.
func poll(_ Guest, m api.Memory, s []uint64) errno {
	count := uint32(s[2])
	if count == 0 || count > maxSubscriptions {
		return errnoInvalid
	}
	subscriptions, ok := m.Read(uint32(s[0]), count*subscription)
	if !ok {
		return errnoFault
	}
	var events []byte
	for ; len(subscriptions) > 0; subscriptions = subscriptions[subscription:] {
		var e [event]byte
		copy(e[:8], subscriptions)
		if e[10] = subscriptions[8]; e[10] != 0 {
			e[8] = byte(errnoBadFile)
		}
		events = append(events, e[:]...)
	}
	return fault(m.Write(uint32(s[1]), events) && m.WriteUint32Le(uint32(s[3]), count))
}
