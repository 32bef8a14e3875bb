package config

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/runtime/wasm/rollout"
)

var badModules = map[string]struct{ file, want string }{
	"no folder": {"modules: none\n", "exgate.yaml:1: modules: none: no such file or directory"},
	"file":      {"modules: m.wasm\n", "exgate.yaml:1: modules: m.wasm is a file, not a folder"},
	"module without a folder": {
		"listeners: {a: {bind: ':1', handler: {module: x}}}\n",
		"exgate.yaml:1: listeners.a.handler.module: needs modules, the folder that x.wasm is in",
	},
	"module that is not there": {
		"modules: here\nlisteners: {a: {bind: ':1', handler: {module: x}}}\n",
		"exgate.yaml:2: listeners.a.handler.module: here/x.wasm: no such file or directory; " +
			"the folder contains echo, line",
	},
	"file name": {
		"modules: here\nlisteners: {a: {bind: ':1', handler: {module: line.wasm}}}\n",
		`exgate.yaml:2: listeners.a.handler.module: "line.wasm" is not a valid module name: use a-z, 0-9, - and ` +
			`_, and leave .wasm out`,
	},
	"module of an empty folder": {
		"modules: empty\nlisteners: {a: {bind: ':1', handler: {module: x}}}\n",
		"exgate.yaml:2: listeners.a.handler.module: empty/x.wasm: no such file or directory; " +
			"the folder contains no modules",
	},
	"settings of a named module": {
		"modules: here\nlisteners:\n  a:\n    bind: ':1'\n    handler:\n      module: line\n      isolation: " +
			"shared\n      limits: {fuel: 1}\n",
		"exgate.yaml:7: listeners.a.handler.isolation: belongs in line.yaml, next to the module\n" +
			"exgate.yaml:8: listeners.a.handler.limits: belongs in line.yaml, next to the module",
	},
	"two handlers": {
		"modules: here\nlisteners:\n  a:\n    bind: ':1'\n    handler:\n      module: line\n      wasm: m.wasm\n",
		"exgate.yaml:7: listeners.a.handler.wasm: conflicts with listeners.a.handler.module " +
			"(exgate.yaml:6): remove one",
	},
	"module and service": {
		"modules: here\nlisteners:\n  a:\n    bind: ':1'\n    handler:\n      module: line\n      grpc: h:1\n",
		"exgate.yaml:7: listeners.a.handler.grpc: conflicts with listeners.a.handler.module " +
			"(exgate.yaml:6): remove one",
	},
	"isolation": {
		"listeners: {a: {bind: ':1', handler: {wasm: m.wasm, isolation: none}}}\n",
		`exgate.yaml:1: listeners.a.handler.isolation: must be shared or connection, not "none"`,
	},
}

func TestWhatIsWrongWithModules(t *testing.T) {
	for name, test := range badModules {
		t.Run(name, func(t *testing.T) {
			inFolder(t, test.file)
			makeModules(t)
			if _, err := Load(Sources{File: "exgate.yaml"}); err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func makeModules(t *testing.T) {
	t.Helper()
	for _, folder := range []string{"here", "empty"} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"line.wasm", "echo.wasm", "No Name.wasm"} {
		if err := os.WriteFile(filepath.Join("here", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFolderOfModulesInsteadOfTheDemo(t *testing.T) {
	inFolder(t, "modules: here\n")
	makeModules(t)
	if cfg := mustLoad(t, Sources{File: "exgate.yaml"}); len(cfg.Listeners) != 0 || cfg.Modules != "here" {
		t.Errorf("%+v", cfg)
	}
}

const everySettingOfAModule = `
config: text
isolation: connection
start_image: false
unmetered: context
limits: {fuel: 7, log_lines: 1}
drain_timeout: 1m
shadow: other
canary: {percent: 5, after: 2m, connections: 3}
guard: {period: 3m, fault_percent: 50, min_connections: 4}
listener: {type: tcp, bind: ':1', socket: {nodelay: false}}
`

func loadModule(t *testing.T, text string) (*Module, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("m.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadModule("m.yaml", "m")
}

func TestEverySettingOfAModule(t *testing.T) {
	m, err := loadModule(t, everySettingOfAModule)
	if err != nil {
		t.Fatal(err)
	}
	if g := m.Guest(); string(g.GuestConfig) != "text" || g.Isolation != wasm.IsolationConnection || !g.NoStartImage ||
		g.Unmetered != wasm.UnmeteredContext || g.Limits != (wasm.Limits{Fuel: 7, LogLines: 1}) {
		t.Errorf("%+v", g)
	}
	s := m.Swap()
	if s.DrainTimeout != time.Minute || *s.Canary != (rollout.Canary{
		Percent: 5, After: 2 * time.Minute,
		Connections: 3,
	}) ||
		s.Guard != (rollout.Guard{Period: 3 * time.Minute, FaultPercent: 50, MinConnections: 4}) {
		t.Errorf("%+v", s)
	}
	if l := m.Listening().Listeners["m"]; l.Bind != ":1" || *l.Socket.NoDelay || l.Handler.Shadow.Module != "other" {
		t.Errorf("%+v", l)
	}
	if got := m.Listening().Problem("listeners.m.bind",
		"is taken").Error(); got != "m.yaml:11: listener.bind: is taken" {
		t.Error(got)
	}
	if got := m.Listening().Problem("listeners.m.handler.shadow.module",
		"is not there").Error(); got != "m.yaml:8: shadow: is not there" {
		t.Error(got)
	}
}

// Every limit of the engine can be configured.
func TestEveryLimitOfAGuest(t *testing.T) {
	var all GuestLimits
	settings := reflect.ValueOf(&all).Elem()
	for i := range settings.NumField() {
		settings.Field(i).SetInt(1)
	}
	limits := reflect.ValueOf(all.Guest())
	for i := range limits.NumField() {
		if limits.Field(i).IsZero() {
			t.Errorf("no setting is %s", limits.Type().Field(i).Name)
		}
	}
}

func TestEmptyFileOfAModule(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "canary:\n"} {
		m, err := loadModule(t, text)
		if err != nil || m.HasListener || m.HasCanary != (text == "canary:\n") {
			t.Errorf("%q: %+v, %v", text, m, err)
		}
	}
}

func TestWhatIsWrongInTheFileOfAModule(t *testing.T) {
	for text, want := range map[string]string{
		"limits: {fuel: many}\n":              `m.yaml:1: limits.fuel: must be a whole number, not the text "many"`,
		"listener: {bind: ':1'}\nshadow: m\n": "m.yaml:2: shadow: cannot be the module itself",
		"listener: {bind: ':1'}\nshadow: M\n": `m.yaml:2: shadow: "M" is not a valid module name: use a-z, 0-9, ` +
			`- and _, and leave .wasm out`,
		"shadow: x\n": "m.yaml:1: shadow: needs listener: for a listener in " +
			"the configuration, set its handler.shadow",
		"handler: {wasm: x}\n":     "m.yaml:1: handler: unknown key",
		"canary: {percent: 100}\n": "m.yaml:1: canary.percent: must be at most 99, not 100",
		"listener:\n": "m.yaml:1: listener: needs bind, the address that devices " +
			"connect to, such as :7993",
		"listener:\n  bind: ':1'\n  handler:\n": "m.yaml:3: listener.handler: is not allowed here: the " +
			"module is the handler",
		"listener: {bind: ':1', udp: {queue: 1}}": "m.yaml:1: listener.udp: does not fit a tcp listener: it needs " +
			"type: udp or dtls",
		"listener: {bind: ':1', mountpoint: '#'}": "m.yaml:1: listener.mountpoint: must not contain + or #: it is " +
			"prepended to topics",
		"listener: {bnd: ':1'}":                    `m.yaml:1: listener.bnd: unknown key, did you mean "bind"?`,
		"listener: [a]\nconfig: {a: 1}\ncanary: 7": "m.yaml:1: listener: must be a section with ",
	} {
		if _, err := loadModule(t, text); err == nil || err.Error()[:min(len(want), len(err.Error()))] != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func FuzzLoadModule(f *testing.F) {
	f.Add([]byte(everySettingOfAModule))
	f.Add([]byte("listener: &l {bind: x}\ncanary: *l\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "m.yaml")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadModule(file, "m"); err != nil && !isProblems(err) {
			t.Errorf("not a list of problems: %v", err)
		}
	})
}
