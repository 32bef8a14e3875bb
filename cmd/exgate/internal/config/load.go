package config

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"

	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/gateway"
)

// Default is the commented default configuration, as a file.
//
//go:embed default.yaml
var Default []byte

// Load reads and checks a configuration. Its error is of type [Problems] and holds everything that is wrong.
func Load(from Sources) (*Config, error) {
	var problems collector
	file := newSettings()
	if from.File != "" {
		file = readFile(schema, from.File, boundedfile.ReadArgument, &problems)
	}
	return merge(&problems, file, readEnvironment(from.Environ, &problems), readFlags(from.Flags, &problems))
}

// merge lays the sources over the defaults and checks the result.
func merge(problems *collector, file settings, others ...settings) (*Config, error) {
	said := append([]settings{file}, others...)
	all := make(origins)
	for _, layer := range said {
		maps.Copy(all, layer.origins)
	}
	cfg := &Config{origins: newPositions(all)}
	k := koanf.New(".")
	for _, layer := range append([]settings{defaults(file, all)}, said...) {
		if err := k.Load(confmap.Provider(layer.values, "."), nil); err != nil {
			return nil, fmt.Errorf("merging the configuration: %w", err)
		}
	}
	if err := k.Unmarshal("", cfg); err != nil {
		return nil, fmt.Errorf("merging the configuration: %w", err)
	}
	cfg.addEmptyListeners()
	cfg.check(problems)
	if err := problems.err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// defaults returns the settings that apply unless a source overrides them. They include the demo if no other listener
// is configured.
func defaults(file settings, said origins) settings {
	s := newSettings()
	s.values = map[string]any{
		"log.level":               "info",
		"log.format":              "auto",
		"node":                    gateway.DefaultNode(),
		"shutdown_timeout":        10 * time.Second,
		"upgrade_timeout":         time.Minute,
		"adapter.bind":            "127.0.0.1:9100",
		"adapter.max_connections": int64(512),
		"modules_cache":           cacheFolder(),
		"upstream.embedded.bind":  "127.0.0.1:1883",
	}
	if !replacesDemo(file, said) {
		s.values["listeners.demo.bind"] = DemoBind
		_, service := said["listeners.demo.handler.grpc"]
		_, module := said["listeners.demo.handler.module"]
		if _, script := said["listeners.demo.handler.script"]; !service && !module && !script {
			s.values["listeners.demo.handler.wasm"] = Builtin + "line"
		}
	}
	return s
}

// DemoBind is the address of the demo, which requires no password and is therefore reachable from this machine only.
const DemoBind = "127.0.0.1:7993"

// replacesDemo reports whether the sources configure listeners: a file with the section listeners, a folder of modules,
// which may have listeners of their own, or a listener of another name in any source. Settings of the listener demo
// alone change the demo.
func replacesDemo(file settings, said origins) bool {
	if _, ok := file.origins["listeners"]; ok {
		return true
	}
	for key := range said {
		rest, listener := strings.CutPrefix(key, "listeners.")
		name, _, _ := strings.Cut(rest, ".")
		if key == "modules" || listener && name != "demo" {
			return true
		}
	}
	return false
}

// HasListeners reports whether the sources configure listeners, or a folder of modules that may have some.
func (c *Config) HasListeners() bool { return c.Said("listeners") || c.Modules != "" }

// cacheFolder returns the default of modules_cache. It is empty, which means no cache, if the system has no folder for
// caches.
func cacheFolder() string {
	folder, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(folder, "exgate")
}

// addEmptyListeners adds the listeners of which only the name is given, so that their missing settings are reported.
func (c *Config) addEmptyListeners() {
	if c.Listeners == nil {
		c.Listeners = make(map[string]Listener)
	}
	for _, said := range []origins{c.origins.origins, c.origins.first} {
		for key := range said {
			name, ok := strings.CutPrefix(key, "listeners.")
			if !ok || strings.Contains(name, ".") {
				continue
			}
			if _, ok := c.Listeners[name]; !ok {
				c.Listeners[name] = Listener{}
			}
		}
	}
}
