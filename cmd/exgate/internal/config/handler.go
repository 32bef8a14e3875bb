package config

import (
	"cmp"
	"path/filepath"
	"strings"
	"time"

	"github.com/exgate/exgate/runtime/wasm"
)

// Handler is the implementation of a protocol: a module in the modules folder, a module or a script in a file, or a
// gRPC service.
type Handler struct {
	Module     string      `koanf:"module"`
	Wasm       string      `koanf:"wasm" path:"file"`
	Script     string      `koanf:"script" path:"file"`
	Framing    string      `koanf:"framing"`
	Config     string      `koanf:"config" data:"true"`
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

// GuestLimits bounds a module; most of the limits apply to one event. Zero fields take the defaults of runtime/wasm.
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

// Guest returns the engine's configuration of the handler's module, without the module itself.
func (h Handler) Guest() wasm.Config {
	return wasm.Config{
		GuestConfig: []byte(h.Config), Isolation: wasm.Isolation(h.Isolation), Unmetered: wasm.Unmetered(h.Unmetered),
		NoStartImage: h.StartImage != nil && !*h.StartImage, Limits: h.Limits.Guest(),
	}
}

// Guest returns the limits in the engine's type.
func (l GuestLimits) Guest() wasm.Limits {
	return wasm.Limits{
		MemoryPages: uint32(l.MemoryPages), TableElements: uint32(l.TableElements), Fuel: uint32(l.Fuel),
		FuelPerByte: uint32(l.FuelPerByte), StartFuel: uint32(l.StartFuel),
		WallTime: l.WallTime, StartTime: l.StartTime, HostCalls: l.HostCalls, CallBytes: l.SendBytes,
		EventBytes: uint32(l.EventBytes),
		Waiting:    l.Waiting, Instances: l.Instances, LogLines: l.LogLines, ModuleBytes: uint32(l.ModuleBytes),
		Functions: uint32(l.Functions), CodeBytes: uint32(l.CodeBytes),
	}
}

// Builtin is the prefix of a handler.wasm that names a module built into the program.
const Builtin = "builtin:"

// builtins are the modules built into the program.
var builtins = []string{"line"}

// ModuleName returns the value of ${module}: the name of a module in the modules folder, or the name of a module's file
// without its extension. It is empty for a service.
func (h Handler) ModuleName() string {
	if name, ok := h.BuiltinName(); ok {
		return name
	}
	if file := h.File(); file != "" {
		return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	return h.Module
}

// File returns the file of the module or script, if one is named. It may be the name of a built-in module.
func (h Handler) File() string { return cmp.Or(h.Wasm, h.Script) }

// FileKey returns the name of the setting that names the file: wasm or script.
func (h Handler) FileKey() string {
	if h.Script != "" {
		return "script"
	}
	return "wasm"
}

// There reports whether a handler is configured.
func (h Handler) There() bool { return h.Module != "" || h.File() != "" || len(h.GRPC) > 0 }

// BuiltinName returns the name of the built-in module that wasm names, and whether it names one.
func (h Handler) BuiltinName() (string, bool) { return strings.CutPrefix(h.Wasm, Builtin) }

// The settings that only one kind of handler has.
var (
	ofModules  = []string{"config", "isolation", "limits", "start_image", "unmetered"}
	ofServices = []string{
		"adapter_token_file", "dialect", "hold_timeout", "max_batch", "max_in_flight", "max_message_size", "on_failure",
		"stream_sets", "timeout",
		"tls", "token_file",
	}
)

func (r rules) handler(key string, h Handler) {
	r.framing(key, h)
	switch {
	case h.Script != "" && h.Wasm != "":
		r.exclusive(key+".script", key+".wasm")
	case h.Script != "" && h.Module != "":
		r.exclusive(key+".script", key+".module")
	case h.Script != "" && len(h.GRPC) > 0:
		r.exclusive(key+".script", key+".grpc")
	case h.Script != "":
		r.foreign(key, "script", ofServices...)
		r.file(key+".script", h.Script)
	case h.Module != "" && h.Wasm != "":
		r.exclusive(key+".module", key+".wasm")
	case h.Module != "" && len(h.GRPC) > 0:
		r.exclusive(key+".module", key+".grpc")
	case h.Wasm != "" && len(h.GRPC) > 0:
		r.exclusive(key+".wasm", key+".grpc")
	case h.Module != "":
		r.foreign(key, "module", ofServices...)
		r.named(key, h.Module)
	case len(h.GRPC) == 0:
		r.foreign(key, "wasm", ofServices...)
		r.module(key+".wasm", h)
	default:
		if h.Shadow.Wasm == "" { // then they are the shadow's
			r.foreign(key, "grpc", ofModules...)
		}
		r.service(key, h)
	}
}

// framing refuses the framing of a handler that is not a script.
func (r rules) framing(key string, h Handler) {
	if h.Framing != "" && h.Script == "" {
		r.problem(key+".framing", "needs script: modules and services divide streams into frames themselves")
	}
}

// service checks how a handler service is reached.
func (r rules) service(key string, h Handler) {
	for i, address := range h.GRPC {
		r.target(r.cfg.origins.ofItem(key+".grpc", i), key+".grpc", address)
	}
	r.clientTLS(key+".tls", h.TLS)
	r.tokenFile(key+".token_file", h.TokenFile)
	r.tokenFile(key+".adapter_token_file", h.AdapterTokenFile)
	if at, said := r.cfg.said(key + ".stream_sets"); said && h.Dialect != "" && h.Dialect != "stream" &&
		h.Dialect != "auto" {
		r.problems.add(at, key+".stream_sets", "needs dialect: stream, or auto")
	}
	if at, said := r.cfg.said(key + ".hold_timeout"); said && (h.OnFailure == "" || h.OnFailure == "close") {
		r.problems.add(at, key+".hold_timeout", "needs on_failure: retry or hold")
	}
}

// foreign refuses the settings that belong to the other kind of handler.
func (r rules) foreign(key, kind string, names ...string) {
	for _, name := range names {
		inner := key + "." + name
		if at, ok := r.cfg.said(inner); ok {
			r.problems.add(at, inner, "does not belong to a %s handler", kind)
		}
	}
}

func (r rules) module(key string, h Handler) {
	name, builtin := h.BuiltinName()
	if !builtin {
		r.file(key, h.Wasm)
		return
	}
	for _, known := range builtins {
		if name == known {
			return
		}
	}
	r.problem(key, "no built-in module %s: use %s", quoted(name), Builtin+either(builtins))
}

// target checks the host:port of a service to call, which may begin with http:// or https:// as in EMQX's
// configuration.
func (r rules) target(at origin, key, address string) {
	rest := strings.TrimSuffix(address, "/")
	for _, scheme := range []string{"http://", "https://"} {
		rest = strings.TrimPrefix(rest, scheme)
	}
	if !isHostPort(rest) {
		r.problems.add(at, key, "must be host:port, not %s", quoted(address))
	}
}
