package config

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/exgate/exgate/runtime/wasm"
)

// Handler is a protocol: a module of the folder of modules, a module of a file, or a gRPC service.
type Handler struct {
	Module     string      `koanf:"module"`
	Wasm       string      `koanf:"wasm" path:"file"`
	Config     string      `koanf:"config"`
	Isolation  string      `koanf:"isolation" oneof:"shared connection"`
	StartImage *bool       `koanf:"start_image"`
	Unmetered  string      `koanf:"unmetered" oneof:"refuse context"`
	Limits     GuestLimits `koanf:"limits"`

	GRPC             []string      `koanf:"grpc" single:"true"`
	Dialect          string        `koanf:"dialect" oneof:"auto unary stream unary-v42 session"`
	Timeout          time.Duration `koanf:"timeout"`
	MaxBatch         int           `koanf:"max_batch" min:"1"`
	MaxInFlight      int           `koanf:"max_in_flight" min:"1"`
	MaxMessageSize   int           `koanf:"max_message_size" min:"1024" max:"2147483647" unit:"bytes"`
	StreamSets       int           `koanf:"stream_sets" min:"1" max:"64"`
	OnFailure        string        `koanf:"on_failure" oneof:"close retry hold"`
	HoldTimeout      time.Duration `koanf:"hold_timeout"`
	TokenFile        string        `koanf:"token_file" path:"file"`
	AdapterTokenFile string        `koanf:"adapter_token_file" path:"file"`
	TLS              ClientTLS     `koanf:"tls"`

	Shadow Shadow `koanf:"shadow"`
}

// ClientTLS is how the gateway proves a server, and itself to the server, where it is the client. A section without settings uses the certificate
// authorities of the system.
type ClientTLS struct {
	CA         string `koanf:"ca" path:"file"`
	Cert       string `koanf:"cert" path:"file"`
	Key        string `koanf:"key" path:"file"`
	ServerName string `koanf:"server_name"`
}

// GuestLimits bounds a module, most of them one event of it. If zero, a field is the default of runtime/wasm.
type GuestLimits struct {
	MemoryPages   int           `koanf:"memory_pages" min:"1" max:"65536"`
	TableElements int           `koanf:"table_elements" min:"1" max:"4294967295"`
	Fuel          int           `koanf:"fuel" min:"1" max:"2147483647"`
	FuelPerByte   int           `koanf:"fuel_per_byte" min:"1" max:"1000000"`
	StartFuel     int           `koanf:"start_fuel" min:"1" max:"2147483647"`
	WallTime      time.Duration `koanf:"wall_time"`
	StartTime     time.Duration `koanf:"start_time"`
	HostCalls     int           `koanf:"host_calls" min:"1"`
	SendBytes     int           `koanf:"send_bytes" min:"1" unit:"bytes"`
	EventBytes    int           `koanf:"event_bytes" min:"1" max:"4294967295" unit:"bytes"`
	Waiting       int           `koanf:"waiting" min:"1"`
	Instances     int           `koanf:"instances" min:"1"`
	LogLines      int           `koanf:"log_lines" min:"1"`
	ModuleBytes   int           `koanf:"module_bytes" min:"1" max:"67108864" unit:"bytes"`
	Functions     int           `koanf:"functions" min:"1" max:"200000"`
	CodeBytes     int           `koanf:"code_bytes" min:"1" max:"67108864" unit:"bytes"`
}

// Guest returns the settings of the handler's module in the form of its engine, without the module.
func (h Handler) Guest() wasm.Config {
	return wasm.Config{
		GuestConfig: []byte(h.Config), Isolation: wasm.Isolation(h.Isolation), NoStartImage: h.StartImage != nil && !*h.StartImage,
		Unmetered: wasm.Unmetered(h.Unmetered), Limits: h.Limits.Guest(),
	}
}

// Guest returns the limits in the engine's own form.
func (l GuestLimits) Guest() wasm.Limits {
	return wasm.Limits{
		MemoryPages: uint32(l.MemoryPages), TableElements: uint32(l.TableElements), Fuel: uint32(l.Fuel), FuelPerByte: uint32(l.FuelPerByte), StartFuel: uint32(l.StartFuel),
		WallTime: l.WallTime, StartTime: l.StartTime, HostCalls: l.HostCalls, CallBytes: l.SendBytes, EventBytes: uint32(l.EventBytes),
		Waiting: l.Waiting, Instances: l.Instances, LogLines: l.LogLines, ModuleBytes: uint32(l.ModuleBytes),
		Functions: uint32(l.Functions), CodeBytes: uint32(l.CodeBytes),
	}
}

// Builtin is the prefix of a handler.wasm that names a module inside the program.
const Builtin = "builtin:"

// builtins are the modules inside the program.
var builtins = []string{"line"}

// ModuleName is what ${module} stands for: the name of the module of the folder, or that of the file without its ending. It is empty for a service.
func (h Handler) ModuleName() string {
	if name, ok := h.BuiltinName(); ok {
		return name
	}
	if h.Wasm != "" {
		return strings.TrimSuffix(filepath.Base(h.Wasm), ModuleFile)
	}
	return h.Module
}

// BuiltinName is the name of the module inside the program that wasm names, and whether it names one.
func (h Handler) BuiltinName() (string, bool) { return strings.CutPrefix(h.Wasm, Builtin) }
