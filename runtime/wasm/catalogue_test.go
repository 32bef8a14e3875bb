package wasm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/wasm/internal/wasi"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// attack is something that a guest does to its host when it gets a packet, and how that ends.
type attack struct {
	name   string
	module []byte // nil: hostile.c, which does what the packet says
	packet string
	limits Limits
	want   gateway.CloseReason
	limit  string // the limit that it reaches, if any
}

// unless makes a guest that does code when its packet is not "x", so that others of its module live.
func unless(code ...byte) wasmtest.Module {
	body := []byte{0x20, 1, 0x2d, 0, 0, 0x41}
	body = append(wasmtest.Signed(body, 'x'), 0x46, 0x04, 0x40, 0x41, 0, 0x0f, 0x0b)
	return wasmtest.Guest().With("exproto_v1_bytes", append(append(body, code...), 0x41, 0, 0x0b)...)
}

// forever is a loop around code.
func forever(code ...byte) []byte {
	return append(append([]byte{0x03, 0x40}, code...), 0x0c, 0, 0x0b)
}

func number(v int64) []byte { return wasmtest.Signed([]byte{0x41}, v) }

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

const mib16 = 16 << 20

// withMemory gives a guest as much memory as is allowed.
func withMemory(m wasmtest.Module) []byte {
	m.Pages = 256
	return m.Bytes()
}

func withTable(elements uint32, m wasmtest.Module) []byte {
	m.Table = elements
	return m.Bytes()
}

// excesses returns attacks that limits end.
func excesses() []attack {
	fuel, calls, hour := gateway.ReasonGuestOutOfFuel, gateway.ReasonGuestCalls, Limits{WallTime: time.Hour}
	return []attack{
		{"endless loop", nil, "l", hour, fuel, limitFuel},
		{"memory.fill in a loop", nil, "f", hour, fuel, limitFuel},
		{
			"memory.fill of 16 MiB in a loop",
			withMemory(unless(forever(join(number(0), number(7), number(mib16), []byte{0xfc, 11, 0})...)...)), "y",
			hour, fuel, limitFuel,
		},
		{
			"memory.copy of 16 MiB in a loop",
			withMemory(unless(forever(join(number(0), number(0), number(mib16), []byte{0xfc, 10, 0, 0})...)...)), "y",
			hour, fuel, limitFuel,
		},
		{
			"table.fill in a loop",
			withTable(
				50_000,
				unless(forever(join(number(0), []byte{0xd0, 0x70}, number(50_000), []byte{0xfc, 17, 0})...)...),
			),
			"y",
			hour,
			fuel,
			limitFuel,
		},
		{
			"table.grow in a loop",
			withTable(1, unless(forever(join([]byte{0xd0, 0x70}, number(1000), []byte{0xfc, 15, 0, 0x1a})...)...)), "y",
			hour, fuel, limitFuel,
		},
		{"table bomb", withTable(1, unless(forever(join(
			[]byte{0xd0, 0x70}, number(50_000), []byte{0xfc, 15, 0}, number(-1), []byte{0x46, 0x04, 0x40, 0x00, 0x0b},
		)...)...)), "y", hour, gateway.ReasonGuestMemory, limitTableElements},
		{"memory bomb", nil, "m", hour, gateway.ReasonGuestMemory, limitMemoryPages},
		{"a loop around a huge br_table", unless(forever(brTable(8_000)...)...).Bytes(), "y", hour, fuel, limitFuel},
		{"recursion", unless(0x20, 0, 0x20, 1, 0x20, 2, 0x10, 2, 0x1a).Bytes(), "y", hour, fuel, limitFuel},
		{"recursion in the guest's own stack", nil, "r", hour, gateway.ReasonGuestTrap, ""},
		{
			"recursion to the end of the host's stack", unless(0x20, 0, 0x20, 1, 0x20, 2, 0x10, 2, 0x1a).Bytes(), "y",
			Limits{Fuel: maxFuel},
			gateway.ReasonGuestTrap, "",
		},
		{"host calls", nil, "h", hour, calls, limitHostCalls},
		{"a wall time, which does not apply to what is metered", nil, "h", Limits{WallTime: 1}, calls, limitHostCalls},
		{"send flood", nil, "s", hour, calls, limitHostCalls},
		{"log flood", calling("exproto_v1", "log", 8, 1024, 1), "y", hour, calls, limitHostCalls},
		{
			"standard output flood", calling(hostabi.WASIModuleName, "fd_write", 1, 8, 1, 4), "y", hour, calls,
			limitHostCalls,
		},
		{
			"standard error flood", calling(hostabi.WASIModuleName, "fd_write", 2, 8, 1, 4), "y", hour, calls,
			limitHostCalls,
		},
		{"random flood", calling(hostabi.WASIModuleName, "random_get", 1024, 1<<16), "y", hour, calls, limitHostCalls},
		{
			"sleeping", calling(hostabi.WASIModuleName, "poll_oneoff", 1024, 2048, 1, 4), "y", hour, calls,
			limitHostCalls,
		},
		{"a resume flood", calling("exproto_v1", "resume"), "y", hour, calls, limitHostCalls},
	}
}

// brTable is a block with a br_table of n targets.
func brTable(n int) []byte {
	code := append([]byte{0x02, 0x40}, number(7)...)
	code = append(code, 0x0e)
	code = append(code, wasmtest.Unsigned(uint64(n))...)
	return append(append(code, make([]byte, n+1)...), 0x0b)
}

// calling makes a guest that calls an import in a loop, with its connection where that wants one and then with params.
func calling(module, name string, params ...int64) []byte {
	return importing(module, name, forever(call(signature(module, name), params...)...))
}

// importing makes a guest with one import, which does code when its packet is not "x".
func importing(module, name string, code []byte) []byte {
	s := signature(module, name)
	m := unless(code...)
	m.Imports = []wasmtest.Import{{Module: module, Name: name, Params: s.Params, Results: s.Results}}
	return m.Bytes()
}

func signature(module, name string) hostabi.Signature {
	if module == hostabi.ModuleName {
		return hostabi.Imports()[name]
	}
	return wasi.Imports()[name]
}

// call is a call of function 0. An i64 is the connection.
func call(s hostabi.Signature, params ...int64) (code []byte) {
	for _, t := range s.Params {
		if t == wasmtest.I64 {
			code = append(code, 0x20, 0)
			continue
		}
		code = append(code, number(params[0])...)
		params = params[1:]
	}
	code = append(code, 0x10, 0)
	if len(s.Results) > 0 {
		code = append(code, 0x1a)
	}
	return code
}

// traps returns attacks that trap.
func traps() (all []attack) {
	table := func(code ...byte) []byte { return withTable(4, unless(code...)) }
	for name, module := range map[string][]byte{
		"unreachable":                       unless(0x00).Bytes(),
		"division by zero":                  unless(0x41, 1, 0x41, 0, 0x6d, 0x1a).Bytes(),
		"remainder of zero":                 unless(0x42, 1, 0x42, 0, 0x82, 0x1a).Bytes(),
		"division that overflows":           unless(join(number(-1<<31), number(-1), []byte{0x6d, 0x1a})...).Bytes(),
		"NaN as an integer":                 unless(0x43, 0, 0, 0xc0, 0x7f, 0xa8, 0x1a).Bytes(),
		"a number too large for an integer": unless(0x43, 0, 0, 0x80, 0x7f, 0xa8, 0x1a).Bytes(),
		"a load outside":                    unless(join(number(-4), []byte{0x28, 0, 0, 0x1a})...).Bytes(),
		"a load with a huge offset": unless(join(number(-1),
			[]byte{0x28, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x1a})...).Bytes(),
		"a store outside": unless(join(number(3<<16-1), number(7), []byte{0x36, 0, 0})...).Bytes(),
		"memory.fill outside": unless(join(number(3<<16-1), number(7), number(2),
			[]byte{0xfc, 11, 0})...).Bytes(),
		"memory.copy outside": unless(join(number(0), number(3<<16-1), number(2),
			[]byte{0xfc, 10, 0, 0})...).Bytes(),
		"a vector load outside":                unless(join(number(3<<16-15), []byte{0xfd, 0, 0, 0, 0x1a})...).Bytes(),
		"a call outside the table":             table(0x20, 2, 0x41, 4, 0x11, 0, 0, 0x1a),
		"a call of a function of another type": typeConfusion(),
		"a call of nothing":                    table(0x20, 2, 0x41, 0, 0x11, 0, 0, 0x1a),
		"table.get outside":                    table(0x41, 4, 0x25, 0, 0x1a),
		"table.set outside":                    table(0x41, 4, 0xd0, 0x70, 0x26, 0),
		"table.fill outside":                   table(0x41, 3, 0xd0, 0x70, 0x41, 2, 0xfc, 17, 0),
		"table.copy outside":                   table(0x41, 3, 0x41, 0, 0x41, 2, 0xfc, 14, 0, 0),
	} {
		all = append(all, attack{name, module, "y", Limits{}, gateway.ReasonGuestTrap, ""})
	}
	return all
}

// typeConfusion calls a function of two parameters through the table as one of one parameter.
func typeConfusion() []byte {
	m := unless(0x20, 2, 0x41, 2, 0x11, 0, 0, 0x1a)
	m.Elements, m.ElementsAt = []uint64{1}, 2
	return withTable(4, m)
}

// badPointers returns attacks with a pointer outside the memory, for each import that takes one.
func badPointers() (all []attack) {
	for _, name := range slices.Sorted(maps.Keys(hostabi.Imports())) {
		if name == "resume" || name == "start_timer" || name == "set_timer" {
			continue
		}
		params := slices.Repeat([]int64{-16}, 9)
		module := importing(hostabi.ModuleName, name, call(signature(hostabi.ModuleName, name), params...))
		all = append(all, attack{"bad pointer to " + name, module, "y", Limits{}, gateway.ReasonGuestTrap, ""})
	}
	return all
}

func misbehaviour() []attack {
	exit := importing(hostabi.WASIModuleName, "proc_exit", call(signature(hostabi.WASIModuleName, "proc_exit"), 3))
	return []attack{
		{"proc_exit", exit, "y", Limits{}, gateway.ReasonGuestExit, ""},
		{"an action that is none", nil, "a", Limits{}, gateway.ReasonGuestBadAction, ""},
		{"a call through a bad table index", nil, "i\xff", Limits{}, gateway.ReasonGuestTrap, ""},
		{"division by zero in C", nil, "d", Limits{}, gateway.ReasonGuestTrap, ""},
		{"a trap in C", nil, "t", Limits{}, gateway.ReasonGuestTrap, ""},
	}
}

func catalogue() []attack { return slices.Concat(excesses(), traps(), badPointers(), misbehaviour()) }

// TestFaultCatalogue plays every attack in both isolations: the connection closes with a named reason, which is
// counted, and connections of other instances stay.
func TestFaultCatalogue(t *testing.T) {
	for _, isolation := range []Isolation{IsolationShared, IsolationConnection} {
		for _, m := range catalogue() {
			t.Run(fmt.Sprintf("%s/%s", isolation, m.name), func(t *testing.T) { m.play(t, isolation) })
		}
	}
}

func (m attack) play(t *testing.T, isolation Isolation) {
	if m.module == nil {
		m.module = file(t, "hostile")
	}
	set := NewMetrics(prometheus.NewRegistry())
	e := engine(t, Config{Module: m.module, Shards: 2, Isolation: isolation, Limits: m.limits, Metrics: set})
	expectDeath(t, e, func(d *gatewaytest.Device) error { return d.Receive(m.packet) }, m.want)
	if got := testutil.ToFloat64(set.deaths.WithLabelValues("test", m.want.Name)); got != 1 {
		t.Errorf("%v deaths by %s are counted", got, m.want.Name)
	}
	if m.limit != "" && testutil.ToFloat64(set.limits.WithLabelValues("test", m.limit)) != 1 {
		t.Errorf("the limit %s is not counted once", m.limit)
	}
	if got := e.Stats().Faults; got != 1 {
		t.Errorf("%d faults in the statistics", got)
	}
}

// A br_table with more targets than the parser allows is refused.
func TestBranchTableIsBounded(t *testing.T) {
	_, err := New(t.Context(), Config{Name: "test", Module: unless(brTable(9_000)...).Bytes(), Logger: quiet})
	if err == nil || !strings.Contains(err.Error(), "9000 branch targets: at most 8192") {
		t.Errorf("got %v", err)
	}
}
