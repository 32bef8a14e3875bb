package config

import (
	"slices"
	"time"
)

// Config is a checked configuration. The tags are the settings' names and what their values may be; see schemaOf.
type Config struct {
	Log             Log                 `koanf:"log"`
	Node            string              `koanf:"node"`
	ShutdownTimeout time.Duration       `koanf:"shutdown_timeout"`
	UpgradeTimeout  time.Duration       `koanf:"upgrade_timeout"`
	PIDFile         string              `koanf:"pid_file" path:"file"`
	MaxConnections  int                 `koanf:"max_connections" min:"1"`
	MaxQueuedBytes  int                 `koanf:"max_queued_bytes" min:"1" unit:"bytes"`
	Metrics         Metrics             `koanf:"metrics"`
	Adapter         Adapter             `koanf:"adapter"`
	Modules         string              `koanf:"modules" path:"dir"`
	ModulesCache    string              `koanf:"modules_cache" path:"dir"`
	Upstream        Upstream            `koanf:"upstream"`
	Listeners       map[string]Listener `koanf:"listeners"`

	origins  *positions
	warnings Problems
	ofFile   string // name of the only listener of a module's own file, in which its section is called listener
}

// Log configures logging. Logs go to standard error.
type Log struct {
	Level  string `koanf:"level" oneof:"debug info warn error"`
	Format string `koanf:"format" oneof:"auto text json"`
}

// Metrics says where Prometheus metrics are served. An empty Bind serves none.
type Metrics struct {
	Bind   string `koanf:"bind"`
	Public bool   `koanf:"public"`
}

// Names returns the listeners' names in order.
func (c *Config) Names() []string {
	names := make([]string, 0, len(c.Listeners))
	for name := range c.Listeners {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
