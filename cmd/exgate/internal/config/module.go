package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/exgate/exgate/runtime/wasm/rollout"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"

	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/wasm"
)

// Module holds the settings of a module in the modules folder, from the file NAME.yaml next to NAME.wasm or NAME.js.
type Module struct {
	Config       string        `koanf:"config" data:"true"`
	Framing      string        `koanf:"framing"`
	Isolation    string        `koanf:"isolation" oneof:"shared connection"`
	StartImage   *bool         `koanf:"start_image"`
	Unmetered    string        `koanf:"unmetered" oneof:"refuse context"`
	Limits       GuestLimits   `koanf:"limits"`
	DrainTimeout time.Duration `koanf:"drain_timeout"`
	Canary       Canary        `koanf:"canary"`
	Guard        Guard         `koanf:"guard"`
	Shadow       string        `koanf:"shadow"`
	Listener     Listener      `koanf:"listener"`

	// HasCanary and HasListener say whether those sections are present, even if they are empty.
	HasCanary   bool `koanf:"-"`
	HasListener bool `koanf:"-"`

	listening *Config
	origins   origins
}

// Canary is the share of new connections that a new version of a module gets first. Zero fields take the defaults of
// runtime/wasm.
type Canary struct {
	Percent     int           `koanf:"percent" min:"1" max:"99"`
	After       time.Duration `koanf:"after"`
	Connections int           `koanf:"connections" min:"1"`
}

// Guard rolls back a new version of a module that fails. Zero fields take the defaults of runtime/wasm.
type Guard struct {
	Period         time.Duration `koanf:"period"`
	FaultPercent   int           `koanf:"fault_percent" min:"1" max:"100"`
	MinConnections int           `koanf:"min_connections" min:"1"`
}

// Listening returns a configuration whose only listener is the module's own, under the module's name. It knows where in
// the module's file each setting is.
func (m *Module) Listening() *Config { return m.listening }

// LoadModule reads and checks the settings of the module name. Its error is of type [Problems].
func LoadModule(file, name string) (*Module, error) {
	var problems collector
	said := readFile(moduleSchema, file, boundedfile.Read, &problems)
	k := koanf.New(".")
	if err := k.Load(confmap.Provider(said.values, "."), nil); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	m := &Module{}
	if err := k.Unmarshal("", m); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	m.origins = said.origins
	_, m.HasCanary = said.origins["canary"]
	_, m.HasListener = said.origins["listener"]
	if at, ok := said.origins["shadow"]; ok {
		m.shadow(name, at, &problems)
	}
	if m.HasListener {
		m.listening = m.listen(name, said.origins, &problems)
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	return m, nil
}

// Guest returns the engine's configuration of the guest, without the guest itself.
func (m *Module) Guest() wasm.Config {
	return Handler{
		Config: m.Config, Isolation: m.Isolation, StartImage: m.StartImage, Unmetered: m.Unmetered,
		Limits: m.Limits,
	}.Guest()
}

// Swap returns how a new version takes over.
func (m *Module) Swap() rollout.SwapOptions {
	o := rollout.SwapOptions{DrainTimeout: m.DrainTimeout, Guard: rollout.Guard(m.Guard)}
	if m.HasCanary {
		canary := rollout.Canary(m.Canary)
		o.Canary = &canary
	}
	return o
}

// shadow gives the module's own listener its shadow.
func (m *Module) shadow(name string, at origin, problems *collector) {
	switch {
	case !IsModuleName(m.Shadow):
		problems.add(at, "shadow", "%s is not a valid module name: use a-z, 0-9, - and _, and leave %s out",
			quoted(m.Shadow), ModuleFile)
	case m.Shadow == name:
		problems.add(at, "shadow", "cannot be the module itself")
	case !m.HasListener:
		problems.add(at, "shadow", "needs listener: for a listener in the configuration, set its handler.shadow")
	}
	m.Listener.Handler.Shadow.Module = m.Shadow
}

// ofModuleFile is the section of a module's own listener in its file.
const ofModuleFile = "listener"

// shadowKey is where a listener has what a module's file calls shadow.
const shadowKey = ".handler.shadow"

// listen makes the configuration of the module's own listener, and checks it.
func (m *Module) listen(name string, said origins, problems *collector) *Config {
	key := "listeners." + name
	all := make(origins)
	for inner, at := range said {
		if rest, ok := strings.CutPrefix(inner, ofModuleFile); ok {
			all[key+rest] = at
		}
	}
	c := &Config{ofFile: name, origins: newPositions(all), Listeners: map[string]Listener{name: m.Listener}}
	r := rules{cfg: c, problems: &collector{}}
	for _, p := range problems.problems { // so that a setting that is wrong is not also reported as missing
		if rest, ok := strings.CutPrefix(p.Key, ofModuleFile); ok {
			p.Key = key + rest
		}
		r.problems.append(p)
	}
	if at, ok := c.said(key + ".handler"); ok {
		r.problems.add(at, key+".handler", "is not allowed here: the module is the handler")
	}
	r.socket(key, m.Listener)
	if at, ok := said["shadow"]; ok {
		all[key+shadowKey] = at
	}
	for i := range r.problems.problems {
		r.problems.problems[i].Key = c.nameInFile(r.problems.problems[i].Key)
	}
	for i := range c.warnings {
		c.warnings[i].Key = c.nameInFile(c.warnings[i].Key)
	}
	*problems = *r.problems
	return c
}

// nameInFile returns the name of the setting key in the file that sets it.
func (c *Config) nameInFile(key string) string {
	if rest, ok := strings.CutPrefix(key, "listeners."+c.ofFile); ok && c.ofFile != "" {
		if strings.HasPrefix(rest, shadowKey) {
			return "shadow"
		}
		return ofModuleFile + rest
	}
	return key
}

// The extensions of a module's files in the modules folder.
const (
	ModuleFile     = ".wasm"
	ScriptFile     = ".js"
	ModuleSettings = ".yaml"
)

// IsModuleName reports whether name is a valid name of a module.
func IsModuleName(name string) bool { return listenerName.MatchString(name) }

// named checks that a module is in the modules folder.
func (r rules) named(key, name string) {
	for _, setting := range ofModules {
		if at, ok := r.cfg.said(key + "." + setting); ok {
			r.problems.add(at, key+"."+setting, "belongs in %s, next to the module", name+ModuleSettings)
		}
	}
	key += ".module"
	switch folder := r.cfg.Modules; {
	case r.broken(key) || r.broken("modules"):
	case folder == "":
		r.problem(key, "needs modules, the folder that %s is in", name+ModuleFile)
	case !IsModuleName(name):
		r.problem(key, "%s is not a valid module name: use a-z, 0-9, - and _, and leave %s out", quoted(name),
			ModuleFile)
	default:
		if _, err := os.Stat(filepath.Join(folder, name+ScriptFile)); err == nil {
			return
		}
		if _, err := os.Stat(filepath.Join(folder, name+ModuleFile)); err != nil {
			r.problem(key, "%s: %v; %s", filepath.Join(folder, name+ModuleFile), cause(err), contents(folder))
		}
	}
}

// contents lists the modules in a folder.
func contents(folder string) string {
	names, _ := filepath.Glob(filepath.Join(folder, "*"+ModuleFile))
	scripts, _ := filepath.Glob(filepath.Join(folder, "*"+ScriptFile))
	names = append(names, scripts...)
	for i, name := range names {
		names[i] = strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(name string) bool { return !IsModuleName(name) })
	if len(names) == 0 {
		return "the folder contains no modules"
	}
	return "the folder contains " + strings.Join(names, ", ")
}
