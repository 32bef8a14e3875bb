package wasm

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// No import affects a connection of another instance: the guest gets "not alive" and continues.
func TestEveryImportRefusesForeignConnections(t *testing.T) {
	for _, isolation := range []Isolation{IsolationShared, IsolationConnection} {
		for _, name := range slices.Sorted(maps.Keys(hostabi.Imports())) {
			if name == "log" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", isolation, name), func(t *testing.T) {
				e := engine(t, Config{Module: naming(name), Shards: 2, Isolation: isolation})
				d, other := gatewaytest.Connect(t, e), gatewaytest.Connect(t, e)
				if other.Handler.(*connection).id != d.Handler.(*connection).id+1 ||
					instanceOf(d) == instanceOf(other) {
					t.Fatal("the second connection is not where the guest looks for it")
				}
				must(t, d.Receive("y"))
				expect(t, d)
				expect(t, other)
			})
		}
	}
}

// naming makes a guest that calls an import for the connection after its own, and traps unless that is refused.
func naming(name string) []byte {
	s := signature(hostabi.ModuleName, name)
	var code []byte
	for i, t := range s.Params {
		switch {
		case i == 0:
			code = append(code, 0x20, 0, 0x42, 1, 0x7c) // conn + 1
		case t == wasmtest.I64:
			code = append(code, 0x42, 0)
		default:
			code = append(code, 0x41, 1)
		}
	}
	code = append(append(code, 0x10, 0), number(int64(hostabi.CodeConnProcessNotAlive))...)
	return importing(hostabi.ModuleName, name, append(code, 0x47, 0x04, 0x40, 0x00, 0x0b))
}
