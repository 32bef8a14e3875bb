package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// inFolder changes to a folder with the configuration file and an empty module.
func inFolder(t *testing.T, file string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"exgate.yaml": file, "m.wasm": "", "users.yaml": "anonymous: true\n",
		"rules.yaml": "rules: []\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func flagsOf(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

func mustLoad(t *testing.T, from Sources) *Config {
	t.Helper()
	cfg, err := Load(from)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestNothingConfiguredIsTheDemo(t *testing.T) {
	cfg := mustLoad(t, Sources{})
	if got := cfg.Names(); !slices.Equal(got, []string{"demo"}) {
		t.Fatalf("listeners %q", got)
	}
	demo := cfg.Listeners["demo"]
	if demo.Bind != "127.0.0.1:7993" || demo.Handler.Wasm != "builtin:line" ||
		cfg.Upstream.Embedded.Bind != "127.0.0.1:1883" {
		t.Errorf("demo %+v upstream %+v", demo, cfg.Upstream)
	}
	if cfg.ShutdownTimeout != 10*time.Second || cfg.Node == "" || cfg.Metrics.Bind != "" {
		t.Errorf("configuration %+v", cfg)
	}
}

func TestEachSourceOverridesTheOneBefore(t *testing.T) {
	const file = "log: {level: warn, format: json}\nnode: file\nshutdown_timeout: 3s\n"
	environ := []string{"EXGATE_NODE=environment", "EXGATE_LOG__LEVEL=error", "HOME=/root", "EXGATE_SHUTDOWN_TIMEOUT="}
	inFolder(t, file)
	cfg := mustLoad(t, Sources{
		File: "exgate.yaml", Environ: environ,
		Flags: flagsOf(t, "--node=flag", "--set", "adapter.bind=127.0.0.1:1"),
	})
	got := []string{cfg.Log.Format, cfg.Log.Level, cfg.Node, cfg.Adapter.Bind, cfg.ShutdownTimeout.String()}
	if want := []string{"json", "error", "flag", "127.0.0.1:1", "3s"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFileWithListenersReplacesTheDemo(t *testing.T) {
	inFolder(t, "listeners: {meters: {bind: ':1', handler: {wasm: m.wasm}}}")
	cfg := mustLoad(t, Sources{
		File: "exgate.yaml", Environ: []string{
			"EXGATE_LISTENERS__METERS__BIND=:2",
			"EXGATE_LISTENERS__X_Y__HANDLER__GRPC=h:1",
		},
		Flags: flagsOf(t, "--set=listeners.x_y.bind=:3"),
	})
	if got := cfg.Names(); !slices.Equal(got, []string{"meters", "x_y"}) || cfg.Listeners["meters"].Bind != ":2" ||
		!cfg.HasGRPC() {
		t.Errorf("listeners %+v", cfg.Listeners)
	}
}

func TestEnvironmentChangesTheDemo(t *testing.T) {
	inFolder(t, "log: {level: warn}")
	cfg := mustLoad(t, Sources{File: "exgate.yaml", Environ: []string{"EXGATE_LISTENERS__DEMO__BIND=127.0.0.1:0"}})
	if demo := cfg.Listeners["demo"]; demo.Bind != "127.0.0.1:0" || demo.Handler.Wasm != "builtin:line" {
		t.Errorf("demo %+v", demo)
	}
}

func TestListenersOfAnySourceReplaceTheDemo(t *testing.T) {
	inFolder(t, "log: {level: warn}")
	environ := []string{"EXGATE_LISTENERS__METERS__BIND=:2", "EXGATE_LISTENERS__METERS__HANDLER__WASM=m.wasm"}
	flags := []string{"--set=listeners.meters.bind=:2", "--set=listeners.meters.handler.wasm=m.wasm"}
	for name, from := range map[string]Sources{
		"environment":            {Environ: environ},
		"environment and a file": {File: "exgate.yaml", Environ: environ},
		"flags":                  {Flags: flagsOf(t, flags...)},
		"both":                   {Environ: environ[:1], Flags: flagsOf(t, flags[1])},
	} {
		if got := mustLoad(t, from).Names(); !slices.Equal(got, []string{"meters"}) {
			t.Errorf("%s: listeners %q", name, got)
		}
	}
	if got := mustLoad(t, Sources{Environ: []string{"EXGATE_MODULES=."}}).Names(); len(got) > 0 {
		t.Errorf("modules: listeners %q", got)
	}
}

func TestHandlerOfTheDemoMayBeReplaced(t *testing.T) {
	cfg := mustLoad(t, Sources{Environ: []string{"EXGATE_LISTENERS__DEMO__HANDLER__GRPC=h:1"}})
	if h := cfg.Listeners["demo"].Handler; h.Wasm != "" || !slices.Equal(h.GRPC, []string{"h:1"}) {
		t.Errorf("handler %+v", h)
	}
}

func TestModuleOfTheDemoNeedsTheFolder(t *testing.T) {
	_, err := Load(Sources{Environ: []string{"EXGATE_LISTENERS__DEMO__HANDLER__MODULE=line"}})
	const want = "EXGATE_LISTENERS__DEMO__HANDLER__MODULE: listeners.demo.handler.module: needs modules, the folder " +
		"that line.wasm is in"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestUpstreamURLReplacesTheDefaultBroker(t *testing.T) {
	cfg := mustLoad(t, Sources{Environ: []string{"EXGATE_UPSTREAM__URL=mqtts://h"}})
	if !slices.Equal(cfg.Upstream.URL, []string{"mqtts://h"}) {
		t.Errorf("upstream %+v", cfg.Upstream)
	}
}

func TestSourcesThatContradictEachOther(t *testing.T) {
	inFolder(t, "upstream:\n  embedded: {bind: ':5'}\n")
	_, err := Load(Sources{File: "exgate.yaml", Environ: []string{"EXGATE_UPSTREAM__URL=mqtt://h"}})
	const want = "EXGATE_UPSTREAM__URL: upstream.url: conflicts with upstream.embedded (exgate.yaml:2): remove one"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestEverySettingOfAListener(t *testing.T) {
	inFolder(t, `
listeners:
  a:
    bind: :1
    mountpoint: a/${clientid}/
    idle_timeout: 1m
    socket: {keepalive: 2m, nodelay: false}
    handler:
      {wasm: m.wasm, config: "x: 1",
       limits: {memory_pages: 1, fuel: 2, wall_time: 3ms, host_calls: 4, send_bytes: 5KiB, event_bytes: 6}}
    limits: {send_queue_bytes: 1 MiB, inbox_bytes: 2GiB, publish_window: 7}
  b: {bind: ':2', handler: {grpc: "h:1", timeout: 4s, max_batch: 1, dialect: unary}}
`)
	cfg := mustLoad(t, Sources{File: "exgate.yaml"})
	a, b := cfg.Listeners["a"], cfg.Listeners["b"]
	guest := GuestLimits{
		MemoryPages: 1, Fuel: 2, WallTime: 3 * time.Millisecond, HostCalls: 4, SendBytes: 5 << 10,
		EventBytes: 6,
	}
	if a.Handler.Limits != guest || a.Handler.Config != "x: 1" {
		t.Errorf("handler %+v", a.Handler)
	}
	if l := a.Gateway(); l.IdleTimeout != time.Minute || l.SendQueueBytes != 1<<20 || l.InboxBytes != 2<<30 ||
		l.PublishWindow != 7 {
		t.Errorf("limits %+v", l)
	}
	if b.Handler.Timeout != 4*time.Second || b.Handler.MaxBatch != 1 || b.Handler.Dialect != "unary" {
		t.Errorf("handler %+v", b.Handler)
	}
}

func TestPathsAreRelativeToTheirFile(t *testing.T) {
	inFolder(t, "")
	if err := os.MkdirAll("etc", 0o750); err != nil {
		t.Fatal(err)
	}
	text := "listeners: {a: {bind: ':1', handler: {wasm: ../m.wasm}}}\nmodules_cache: cache\nupstream: {embedded: " +
		"{auth_file: ../users.yaml}}"
	if err := os.WriteFile("etc/exgate.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := mustLoad(t, Sources{File: "etc/exgate.yaml"})
	got := []string{cfg.Listeners["a"].Handler.Wasm, cfg.ModulesCache, cfg.Upstream.Embedded.AuthFile}
	if want := []string{"m.wasm", filepath.Join("etc", "cache"), "users.yaml"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVariablesThatAreNoSettings(t *testing.T) {
	mustLoad(t, Sources{Environ: []string{
		"EXGATE_PASSWORD=x", "EXGATE_SERVICE_HOST=10.0.0.1", "EXGATE_SERVICE_PORT_MQTT=1883",
		"EXGATE_PORT=tcp://10.0.0.1:1883", "EXGATE_PORT_1883_TCP_ADDR=x",
	}})
}

func TestProblemOfASettingNamesItsPlace(t *testing.T) {
	inFolder(t, "listeners:\n  a:\n    bind: :1\n    handler: {wasm: m.wasm}\n")
	cfg := mustLoad(t, Sources{File: "exgate.yaml", Environ: []string{"EXGATE_METRICS__BIND=127.0.0.1:2"}})
	for key, want := range map[string]string{
		"listeners.a.bind":            "exgate.yaml:3: listeners.a.bind: is in use",
		"listeners.a.limits.max_call": "exgate.yaml:2: listeners.a.limits.max_call: is in use",
		"metrics.bind":                "EXGATE_METRICS__BIND: metrics.bind: is in use",
		"adapter.bind":                "defaults: adapter.bind: is in use",
	} {
		if got := cfg.Problem(key, "is in %s", "use").Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestVariable(t *testing.T) {
	if got := Variable("listeners.demo.idle_timeout"); got != "EXGATE_LISTENERS__DEMO__IDLE_TIMEOUT" {
		t.Error(got)
	}
}

func TestAliases(t *testing.T) {
	inFolder(t, "listeners:\n  a: {bind: ':1', handler: &h {wasm: m.wasm}}\n  b: {bind: ':2', handler: *h}\n")
	if cfg := mustLoad(t, Sources{File: "exgate.yaml"}); !strings.HasSuffix(cfg.Listeners["b"].Handler.Wasm, "m.wasm") {
		t.Errorf("%+v", cfg.Listeners)
	}
}

func TestEveryLimitReachesTheGateway(t *testing.T) {
	var l Listener
	fill(reflect.ValueOf(&l.Limits).Elem())
	l.IdleTimeout = 1
	limits := reflect.ValueOf(l.Gateway())
	for i := range limits.NumField() {
		if limits.Field(i).IsZero() {
			t.Errorf("no setting reaches %s", limits.Type().Field(i).Name)
		}
	}
}

// fill sets every number in a struct.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		v.Field(i).SetInt(int64(i + 1))
	}
}

// A configuration may come from a pipe. Paths in it are relative to the working folder.
func TestPipe(t *testing.T) {
	if runtime.GOOS != "linux" { // where /dev/fd/N opens the pipe itself
		return
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if _, err := write.WriteString("pid_file: exgate.pid\n"); err != nil {
		t.Fatal(err)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, Sources{File: fmt.Sprintf("/dev/fd/%d", read.Fd())}).PIDFile; got != "exgate.pid" {
		t.Errorf("pid_file: %q", got)
	}
}
