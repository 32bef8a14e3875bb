package wasi

import (
	"context"
	"fmt"

	"github.com/exgate/exgate/hostabi"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// errno is an error number of WASI.
type errno uint32

const (
	errnoSuccess errno = 0
	errnoAgain   errno = 6
	errnoBadFile errno = 8
	errnoFault   errno = 21
	errnoInvalid errno = 28
	errnoNoSys   errno = 52
)

// Guest is the instance that calls WASI. Calls run under the lock of the instance.
type Guest interface {
	// Call counts a host call. It panics to end the guest if that exceeds the limit.
	Call()

	// Pay charges n bytes to the event. It reports false if the event has used up its bytes.
	Pay(n int) bool

	// Spent returns the fuel that the event has used so far, or 0 if it is not metered.
	Spent() uint64

	// Write logs what the guest prints to stream 0 (standard output) or 1 (standard error). It must not keep b.
	Write(stream int, b []byte)
}

// function is a function of WASI preview 1. params has i for i32 and I for i64. If call is nil, the function fails with
// errnoBadFile.
type function struct {
	name   string
	params string
	call   func(g Guest, m api.Memory, s []uint64) errno
}

// functions lists all of preview 1: compilers link more functions than guests call.
var functions = []function{
	{"args_get", "ii", nothing},
	{"args_sizes_get", "ii", noList},
	{"environ_get", "ii", nothing},
	{"environ_sizes_get", "ii", noList},
	{"clock_res_get", "ii", clockResolution},
	{"clock_time_get", "iIi", clockTime},
	{"random_get", "ii", random},
	{"sched_yield", "", nothing},
	{"poll_oneoff", "iiii", poll},
	{"proc_exit", "i", exit},
	{"proc_raise", "i", unknown},
	{"fd_write", "iiii", fdWrite},
	{"fd_read", "iiii", fdRead},
	{"fd_fdstat_get", "ii", fdStat},
	{"fd_close", "i", nothing},
	{name: "fd_advise", params: "iIIi"},
	{name: "fd_allocate", params: "iII"},
	{name: "fd_datasync", params: "i"},
	{name: "fd_fdstat_set_flags", params: "ii"},
	{name: "fd_fdstat_set_rights", params: "iII"},
	{name: "fd_filestat_get", params: "ii"},
	{name: "fd_filestat_set_size", params: "iI"},
	{name: "fd_filestat_set_times", params: "iIIi"},
	{name: "fd_pread", params: "iiiIi"},
	{name: "fd_prestat_dir_name", params: "iii"},
	{name: "fd_prestat_get", params: "ii"},
	{name: "fd_pwrite", params: "iiiIi"},
	{name: "fd_readdir", params: "iiiIi"},
	{name: "fd_renumber", params: "ii"},
	{name: "fd_seek", params: "iIii"},
	{name: "fd_sync", params: "i"},
	{name: "fd_tell", params: "ii"},
	{name: "path_create_directory", params: "iii"},
	{name: "path_filestat_get", params: "iiiii"},
	{name: "path_filestat_set_times", params: "iiiiIIi"},
	{name: "path_link", params: "iiiiiii"},
	{name: "path_open", params: "iiiiiIIii"},
	{name: "path_readlink", params: "iiiiii"},
	{name: "path_remove_directory", params: "iii"},
	{name: "path_rename", params: "iiiiii"},
	{name: "path_symlink", params: "iiiii"},
	{name: "path_unlink_file", params: "iii"},
	{name: "sock_accept", params: "iii"},
	{name: "sock_recv", params: "iiiiii"},
	{name: "sock_send", params: "iiiii"},
	{name: "sock_shutdown", params: "ii"},
}

func (f function) signature() hostabi.Signature {
	var s hostabi.Signature
	for _, p := range f.params {
		t := api.ValueTypeI32
		if p == 'I' {
			t = api.ValueTypeI64
		}
		s.Params = append(s.Params, t)
	}
	if f.name != "proc_exit" {
		s.Results = []api.ValueType{api.ValueTypeI32}
	}
	return s
}

// Provide instantiates the host module in r. caller returns the instance for the context of a call. Each call counts as
// a host call.
func Provide(ctx context.Context, r wazero.Runtime, caller func(context.Context) Guest) error {
	b := r.NewHostModuleBuilder(hostabi.WASIModuleName)
	for _, f := range functions {
		s := f.signature()
		b.NewFunctionBuilder().WithGoModuleFunction(f.goFunction(caller), s.Params, s.Results).Export(f.name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("providing module %s: %w", hostabi.WASIModuleName, err)
	}
	return nil
}

func (f function) goFunction(caller func(context.Context) Guest) api.GoModuleFunc {
	call := f.call
	if call == nil {
		call = noFile
	}
	return func(ctx context.Context, guest api.Module, stack []uint64) {
		g := caller(ctx)
		g.Call()
		if guest.Memory() == nil {
			stack[0] = uint64(errnoFault)
			return
		}
		if e := call(g, guest.Memory(), stack); len(stack) > 0 {
			stack[0] = uint64(e)
		}
	}
}

// Imports returns the functions that a guest may import, by name.
func Imports() map[string]hostabi.Signature {
	have := make(map[string]hostabi.Signature, len(functions))
	for _, f := range functions {
		have[f.name] = f.signature()
	}
	return have
}

// Check checks a module's imports of WASI against the functions that exist.
func Check(m wazero.CompiledModule) error {
	return hostabi.CheckImports(m, hostabi.WASIModuleName, Imports())
}
