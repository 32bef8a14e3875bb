package service_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/modules"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/wasm-examples/line"
)

// lineVersion is the line protocol in a file of its own, which differs by a custom section.
func lineVersion(name string) []byte {
	return append(append(bytes.Clone(line.Module), 0, byte(len(name)+1), byte(len(name))), name...)
}

// fixture is a service with a folder of modules.
type fixture struct {
	t       *testing.T
	folder  string
	service *service.Service
}

// newFixture starts a service with more settings, whose folder has the given files.
func newFixture(t *testing.T, settings string, files map[string]string) *fixture {
	t.Helper()
	h := &fixture{t: t, folder: t.TempDir()}
	for name, text := range files {
		h.write(name, []byte(text))
	}
	s, err := service.Start(t.Context(), h.configured(settings), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h.service = s
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *fixture) configured(settings string) *config.Config {
	return configured(h.t, "modules: "+h.folder+"\nupstream: {embedded: {bind: 127.0.0.1:0}}\n"+settings)
}

func (h *fixture) write(name string, data []byte) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.folder, name), data, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// await waits until the module is as wanted, and returns its status.
func (h *fixture) await(name string, wanted func(modules.Status) bool) (found modules.Status) {
	h.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, m := range h.service.Modules() {
			if found = m; m.Name == name && wanted(m) {
				return m
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			h.t.Fatalf("it is %+v", found)
		}
	}
}

func (h *fixture) socket(name string) net.Addr {
	h.t.Helper()
	for _, s := range h.service.Sockets() {
		if s.Name == name {
			return s.Addr
		}
	}
	h.t.Fatalf("no socket %s", name)
	return nil
}

const listens = "listener: {bind: 127.0.0.1:0}\n"

func TestModulesServe(t *testing.T) {
	h := newFixture(t, "listeners: {named: {bind: 127.0.0.1:0, handler: {module: line}}}\n", map[string]string{
		"line.wasm": string(line.Module), "own.wasm": string(line.Module), "own.yaml": listens + "config: Plant 7\n",
	})
	login(t, dial(t, h.socket("named")))
	own := dial(t, h.socket("own"))
	_ = own.SetDeadline(time.Now().Add(patience))
	if greeting, err := bufio.NewReader(own).ReadString('\n'); !strings.HasPrefix(greeting, "Plant 7. ") || err != nil {
		t.Errorf("%q %v", greeting, err)
	}
	_ = own.Close()
}

// A module whose file goes refuses devices; its listener in the configuration stays, and serves again when the file is
// back.
func TestRemovedModuleOfAListener(t *testing.T) {
	h := newFixture(t, "listeners: {named: {bind: 127.0.0.1:0, handler: {module: line}}}\n",
		map[string]string{"line.wasm": string(line.Module)})
	if err := os.Remove(filepath.Join(h.folder, "line.wasm")); err != nil {
		t.Fatal(err)
	}
	h.await("line", func(m modules.Status) bool { return m.State == modules.Removed })
	expectRefused(t, h.socket("named"), "")
	h.write("line.wasm", line.Module)
	h.await("line", func(m modules.Status) bool { return m.State == modules.Loaded })
	login(t, dial(t, h.socket("named")))
}

// The shadow of a module may come after it in the folder.
func TestShadowOfAModule(t *testing.T) {
	h := newFixture(t, "metrics: {bind: 127.0.0.1:0}\n", map[string]string{
		"a.wasm": string(line.Module), "a.yaml": listens + "shadow: b\n", "b.wasm": string(line.Module),
		"c.wasm": string(line.Module), "c.yaml": listens + "shadow: none\n",
	})
	login(t, dial(t, h.socket("a")))
	h.await("b", func(m modules.Status) bool { return m.Module.Versions[0].Served == 1 })
	h.await("c", func(m modules.Status) bool {
		return m.State == modules.Rejected && strings.Contains(m.Reason,
			`c.yaml:2: shadow: no handler is named "modules/none"`)
	})
}

func TestModuleWithAListenerOfTheConfigurationsName(t *testing.T) {
	h := newFixture(t, "listeners: {line: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}}\n", map[string]string{
		"line.wasm": string(line.Module), "line.yaml": listens,
	})
	h.await("line", func(m modules.Status) bool {
		return m.State == modules.Rejected && strings.Contains(m.Reason,
			"the configuration already has a listener line")
	})
	login(t, dial(t, h.socket("line")))
}

// What a module's own listener asks for is there, and goes with it.
func TestListenersOfModules(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "access")
	if err := os.WriteFile(rules, []byte("allow all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	guarded := "listener: {bind: 127.0.0.1:0, access: {file: " + rules + "}}\n"
	h := newFixture(t, "", map[string]string{
		"a.wasm": string(line.Module), "a.yaml": guarded, "stays.wasm": string(line.Module), "stays.yaml": guarded,
		"b.wasm": string(line.Module), "b.yaml": "listener: {bind: 127.0.0.1:0, type: udp}\n",
	})
	login(t, dial(t, h.socket("a")))
	login(t, dial(t, h.socket("b")))
	for _, name := range []string{"a", "b"} {
		address := h.socket(name)
		h.write(name+".yaml", fmt.Appendf(nil, "listener: {bind: '%s', type: %s, idle_timeout: 1m}\n", address,
			address.Network()))
		h.await(name, func(m modules.Status) bool {
			return m.State == modules.Loaded && m.Listener.String() == address.String()
		})
		login(t, dial(t, address))
		h.write(name+".yaml", nil)
		h.await(name, func(m modules.Status) bool { return m.State == modules.Loaded && m.Listener == nil })
	}
}

func TestModuleThatCannotServeAtTheStart(t *testing.T) {
	h := &fixture{t: t, folder: t.TempDir()}
	h.write("line.wasm", []byte("no module"))
	cfg := h.configured("listeners: {a: {bind: 127.0.0.1:0, handler: {module: line}}}\n")
	_, err := service.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	var problem config.Problem
	if !errors.As(err, &problem) || problem.Key != "listeners.a.handler.module" ||
		!strings.Contains(problem.Text, "module line is rejected: ") {
		t.Error(err)
	}
}

// Check refuses the listeners of modules that collide with others, and Start either refuses the configuration or does
// not open them.
func TestCheckFindsCollidingModuleListeners(t *testing.T) {
	address := gatewaytest.FreeAddress(t)
	listener := func(bind string) string { return "listener: {bind: '" + bind + "'}\n" }
	configured := "listeners:\n  a:\n    bind: " + address + "\n    handler: {wasm: builtin:line}\n"
	_, port, _ := net.SplitHostPort(address)
	for name, test := range map[string]struct {
		settings string
		files    map[string]string
		want     string
		refused  bool
	}{
		"a listener": {
			configured,
			map[string]string{"m.yaml": listener(address)},
			"m.yaml:1: listener.bind: " + address + " is taken by listeners.a.bind (", true,
		},
		"a listener on every address": {
			configured, map[string]string{"m.yaml": listener(":" + port)}, "is taken by listeners.a.bind (", true,
		},
		"the metrics": {
			"metrics: {bind: " + address + "}\n",
			map[string]string{"m.yaml": listener(address)},
			"is taken by metrics.bind (", false,
		},
		"another module": {
			"",
			map[string]string{"m.yaml": listener(address), "n.yaml": listener(address)},
			"m.yaml:1)", false,
		},
		"the name of a listener": {
			"listeners: {m: {bind: '127.0.0.1:0', handler: {wasm: builtin:line}}}\n",
			map[string]string{"m.yaml": listener(address)},
			"m.yaml:1: listener: has the name of listeners.m (", false,
		},
		"nothing": {
			configured, map[string]string{"m.yaml": listener("127.0.0.1:0"), "n.yaml": "listener: {type: udp, bind: '" +
				address + "'}\n"}, "", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := &fixture{t: t, folder: t.TempDir()}
			for file, text := range test.files {
				h.write(file, []byte(text))
				h.write(strings.TrimSuffix(file, ".yaml")+".wasm", line.Module)
			}
			cfg := h.configured(test.settings)
			problems := service.Check(t.Context(), cfg)
			if test.want == "" && len(problems) > 0 || !strings.Contains(problems.Error(), test.want) {
				t.Errorf("Check: %v; want %q", problems, test.want)
			}
			s, err := service.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
			if (err != nil) != test.refused {
				t.Errorf("Start: %v", err)
			}
			if err != nil {
				return
			}
			open := 0
			for _, m := range s.Modules() {
				if m.Listener != nil {
					open++
				}
			}
			if want := len(test.files); (open == want) != (test.want == "") {
				t.Errorf("%d of %d listeners are open", open, want)
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
