package wasm

import (
	"fmt"
	"strings"

	"github.com/exgate/exgate/hostabi/manifest"
)

// Manifest returns what the module says about itself, or nil if it says nothing.
func (e *Engine) Manifest() *manifest.Manifest { return e.manifest }

// readManifest reads the module's manifest, and checks the configuration against the schema in it.
func readManifest(c Config) (*manifest.Manifest, error) {
	m, err := manifest.Of(c.Module)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	return m, m.CheckConfig(c.GuestConfig)
}

// BeyondLimits lists the limits that a module wants above l, as settings such as memory_pages: 1024. They are not
// granted: only the operator raises a limit. m may be nil.
func (l Limits) BeyondLimits(m *manifest.Manifest) (settings []string) {
	if m == nil {
		return nil
	}
	l = l.withDefaults()
	for _, wish := range []struct {
		name        string
		wants, most uint32
	}{
		{limitMemoryPages, m.Limits.MemoryPages, l.MemoryPages},
		{limitFuel, m.Limits.Fuel, l.Fuel},
		{limitEventBytes, m.Limits.EventBytes, l.EventBytes},
	} {
		if wish.wants > wish.most {
			settings = append(settings, fmt.Sprintf("%s: %d", wish.name, wish.wants))
		}
	}
	return settings
}

// compareLimits warns about limits that the module wants and does not have.
func (e *Engine) compareLimits() {
	if more := e.config.Limits.BeyondLimits(e.manifest); more != nil {
		e.log.Warn("the module wants more than its limits allow; set them if you agree",
			"limits", strings.Join(more, ", "))
	}
}
