package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
)

// State is the result of a check.
type State string

// The states. Only a Problem keeps the gateway or its devices from working.
const (
	Well    State = "ok"
	Warning State = "warning"
	Problem State = "problem"
)

// Finding is the result for one item.
type Finding struct {
	State State `json:"state"`
	// Setting is the setting that names the item, or the one to change.
	Setting string `json:"setting"`
	// Where is where the setting is set: file:line, a variable, a flag, or "defaults".
	Where string `json:"where,omitempty"`
	Text  string `json:"text"`
}

// Sick reports whether any finding is a problem.
func Sick(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.State == Problem })
}

// patience bounds the wait for each answer.
const patience = 3 * time.Second

// checkup checks one configuration.
type checkup struct {
	cfg     *config.Config
	gateway running
}

// Examine checks what cfg refers to. It takes some seconds if something does not answer.
func Examine(ctx context.Context, cfg *config.Config) []Finding {
	c := &checkup{cfg: cfg, gateway: findRunning(ctx, cfg)}
	checks := []func(context.Context) []Finding{
		c.process, c.warnings, c.sockets, c.adapter, c.upstream,
		c.authentication, c.startable, c.certificates,
	}
	for _, name := range cfg.Names() {
		if l := cfg.Listeners[name]; l.Dials() {
			checks = append(checks, func(ctx context.Context) []Finding { return c.targets(ctx, "listeners."+name, l) })
		}
		if h := cfg.Listeners[name].Handler; len(h.GRPC) > 0 {
			checks = append(checks, func(ctx context.Context) []Finding {
				return c.handler(ctx, "listeners."+name+".handler", h)
			})
		}
	}
	return inOrder(ctx, checks)
}

// inOrder runs the checks concurrently and returns their findings in order.
func inOrder(ctx context.Context, checks []func(context.Context) []Finding) []Finding {
	found := make([][]Finding, len(checks))
	var checking sync.WaitGroup
	for i, check := range checks {
		checking.Go(func() { found[i] = check(ctx) })
	}
	checking.Wait()
	return slices.Concat(found...)
}

func (c *checkup) finding(state State, setting, format string, args ...any) Finding {
	at := c.cfg.Problem(setting, format, args...)
	return Finding{State: state, Setting: at.Key, Where: at.Where, Text: at.Text}
}

func (c *checkup) well(setting, format string, args ...any) Finding {
	return c.finding(Well, setting, format, args...)
}

func (c *checkup) problem(setting, format string, args ...any) Finding {
	return c.finding(Problem, setting, format, args...)
}

func (c *checkup) warning(setting, format string, args ...any) Finding {
	return c.finding(Warning, setting, format, args...)
}

// warnings reports the warnings of the configuration itself.
func (c *checkup) warnings(context.Context) []Finding {
	var findings []Finding
	for _, w := range c.cfg.Warnings() {
		findings = append(findings, Finding{State: Warning, Setting: w.Key, Where: w.Where, Text: w.Text})
	}
	return findings
}

// process reports whether the gateway of the configuration is running, and if not, whether one started from here could
// have as many connections as are configured.
func (c *checkup) process(context.Context) []Finding {
	how := "the gateway is not running"
	if c.gateway.how != "" {
		how = fmt.Sprintf("the gateway is running: %s", c.gateway.how)
	}
	findings := []Finding{{State: Well, Setting: "process", Text: how}}
	if message, ok := service.CheckFiles(c.cfg); !ok && c.gateway.how == "" {
		findings = append(findings, c.warning("max_connections", "%s", message))
	}
	return findings
}
