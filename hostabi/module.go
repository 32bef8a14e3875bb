package hostabi

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// function is an import: call reads its parameters from the stack and stores its result there.
type function struct {
	name      string
	signature Signature
	call      func(h Host, m memory, stack []uint64) Code
}

// functions are the imports, documented at the methods of [Host].
var functions = []function{
	{"send", returnsI32(i64, i32, i32), func(h Host, m memory, s []uint64) Code {
		return h.Send(int64(s[0]), m.at(s[1], s[2]))
	}},
	{"close", returnsI32(i64, i32, i32), func(h Host, m memory, s []uint64) Code {
		return h.Close(int64(s[0]), m.at(s[1], s[2]))
	}},
	{"authenticate", returnsI32(i64, i64, i32, i32), func(h Host, m memory, s []uint64) Code {
		return h.Authenticate(int64(s[0]), int64(s[1]), m.at(s[2], s[3]))
	}},
	{"start_timer", returnsI32(i64, i32, i32), func(h Host, _ memory, s []uint64) Code {
		return h.StartTimer(int64(s[0]), uint32(s[1]), uint32(s[2]))
	}},
	{"set_timer", returnsI32(i64, i32, i32), func(h Host, _ memory, s []uint64) Code {
		return h.SetTimer(int64(s[0]), uint32(s[1]), int32(s[2]))
	}},
	{"save_state", returnsI32(i64, i64, i32, i32), func(h Host, m memory, s []uint64) Code {
		return h.SaveState(int64(s[0]), int64(s[1]), m.at(s[2], s[3]))
	}},
	{"publish", returnsI32(i64, i64, i32, i32, i32, i32, i32), func(h Host, m memory, s []uint64) Code {
		return h.Publish(int64(s[0]), int64(s[1]), m.at(s[2], s[3]), uint32(s[4]), m.at(s[5], s[6]))
	}},
	{"publish_with", returnsI32(i64, i64, i32, i32, i32, i32, i32, i32, i32), func(h Host, m memory, s []uint64) Code {
		return h.PublishWith(int64(s[0]), int64(s[1]), m.at(s[2], s[3]), uint32(s[4]), m.at(s[5], s[6]),
			m.at(s[7], s[8]))
	}},
	{"subscribe", returnsI32(i64, i64, i32, i32, i32), func(h Host, m memory, s []uint64) Code {
		return h.Subscribe(int64(s[0]), int64(s[1]), m.at(s[2], s[3]), uint32(s[4]))
	}},
	{"unsubscribe", returnsI32(i64, i64, i32, i32), func(h Host, m memory, s []uint64) Code {
		return h.Unsubscribe(int64(s[0]), int64(s[1]), m.at(s[2], s[3]))
	}},
	{"resume", returnsI32(i64), func(h Host, _ memory, s []uint64) Code {
		return h.Resume(int64(s[0]))
	}},
	{"log", Signature{Params: []api.ValueType{i32, i32, i32}}, func(h Host, m memory, s []uint64) Code {
		h.Log(int32(s[0]), m.at(s[1], s[2]))
		return CodeSuccess
	}},
}

// Instantiate provides module exproto_v1 in r. Guests must be called with a context of [WithHost]. The module is closed
// with the runtime.
func Instantiate(ctx context.Context, r wazero.Runtime) error {
	b := r.NewHostModuleBuilder(ModuleName)
	for _, f := range functions {
		b.NewFunctionBuilder().WithGoModuleFunction(f.goFunction(), f.signature.Params,
			f.signature.Results).Export(f.name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("providing module %s: %w", ModuleName, err)
	}
	return nil
}

func (f function) goFunction() api.GoModuleFunc {
	return func(ctx context.Context, guest api.Module, stack []uint64) {
		code := f.call(hostOf(ctx), memory{guest.Memory(), f.name}, stack)
		if len(f.signature.Results) > 0 {
			stack[0] = uint64(code)
		}
	}
}
