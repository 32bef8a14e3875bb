package hostabi

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"

	"github.com/exgate/exgate/internal/meter"
)

// Compile compiles an untrusted module with wazero, after checking that it contains everything it announces: wazero
// trusts counts, and a file of 30 bytes that announces four billion locals would end the process. An error says at
// which byte the module is malformed; a panic of the compiler is returned as an error too.
func Compile(ctx context.Context, r wazero.Runtime, module []byte) (wazero.CompiledModule, error) {
	module, err := meter.Check(module, meter.Options{Names: true})
	if err != nil {
		return nil, err
	}
	return compile(ctx, r, module)
}

// Outline is Compile without the function bodies, which are parsed but not compiled: it shows at little cost what a
// module of any size declares. The functions of the result trap.
func Outline(ctx context.Context, r wazero.Runtime, module []byte) (wazero.CompiledModule, error) {
	module, err := meter.Outline(module, meter.Options{})
	if err != nil {
		return nil, err
	}
	return compile(ctx, r, module)
}

func compile(ctx context.Context, r wazero.Runtime, module []byte) (code wazero.CompiledModule, err error) {
	defer func() {
		if p := recover(); p != nil {
			code, err = nil, fmt.Errorf("the compiler panicked: %v", p)
		}
	}()
	return r.CompileModule(ctx, module)
}
