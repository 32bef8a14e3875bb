package doctor

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
)

// startable checks what would keep the gateway from starting: modules that do not load, folders that are not writable.
func (c *checkup) startable(ctx context.Context) []Finding {
	problems := service.Check(ctx, c.cfg)
	var findings []Finding
	for _, p := range problems {
		findings = append(findings, Finding{
			State: Problem, Setting: cmp.Or(p.Key, "modules"), Where: p.Where,
			Text: p.Text,
		})
	}
	well := func(key string) bool {
		return !slices.ContainsFunc(problems, func(p config.Problem) bool { return p.Key == key })
	}
	for _, name := range c.cfg.Names() {
		h := c.cfg.Listeners[name].Handler
		key := "listeners." + name + ".handler." + h.FileKey()
		if _, builtin := h.BuiltinName(); h.File() != "" && !builtin && well(key) {
			findings = append(findings, c.well(key, "%s loads and starts", h.File()))
		}
	}
	for _, f := range service.Folders(c.cfg) {
		if well(f.Key) {
			findings = append(findings, c.well(f.Key, "%s", f.Well()))
		}
	}
	return append(findings, c.dispensable()...)
}

// dispensable warns about files that the gateway cannot write but does not need.
func (c *checkup) dispensable() []Finding {
	folders := []service.Folder{{Key: "modules_cache", Path: c.cfg.ModulesCache}}
	if c.cfg.PIDFile != "" {
		folders = append(folders, service.Folder{Key: "pid_file", Path: filepath.Dir(c.cfg.PIDFile)})
	}
	var findings []Finding
	for _, f := range folders {
		var p config.Problem
		if c.cfg.Said(f.Key) && f.Path != "" && errors.As(f.Check(c.cfg), &p) {
			findings = append(findings, Finding{State: Warning, Setting: p.Key, Where: p.Where, Text: p.Text})
		}
	}
	return findings
}
