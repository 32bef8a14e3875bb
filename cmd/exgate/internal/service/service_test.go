package service_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// configured is a configuration on free ports.
func configured(t *testing.T, text string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "exgate.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Sources{File: file, Environ: []string{"EXGATE_MODULES_CACHE=" + t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

const everything = `
metrics: {bind: 127.0.0.1:0}
adapter: {bind: 127.0.0.1:0, raw_publish: true}
upstream: {embedded: {bind: 127.0.0.1:0}}
listeners:
  line: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}
  remote: {bind: 127.0.0.1:0, handler: {grpc: 127.0.0.1:1}}
`

func TestStartAndStopOfEverything(t *testing.T) {
	var log bytes.Buffer
	s, err := service.Start(t.Context(), configured(t, everything), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, socket := range s.Sockets() {
		names = append(names, socket.Name)
	}
	if got := strings.Join(names, " "); got != "broker adapter metrics line remote" {
		t.Errorf("sockets %s", got)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	for _, socket := range s.Sockets() {
		if c, err := net.Dial("tcp", socket.Addr.String()); err == nil {
			_ = c.Close()
			t.Errorf("%s still listens", socket.Name)
		}
	}
}

// TestFailedStartLeavesNothing relies on goleak for what goes on running.
func TestFailedStartLeavesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	address := taken.Addr().String()
	for _, key := range []string{
		"metrics.bind", "adapter.bind", "upstream.embedded.bind", "listeners.line.bind",
		"listeners.remote.bind",
	} {
		section, setting, _ := strings.Cut(key, ".")
		cfg := configured(t, everything)
		switch section {
		case "metrics":
			cfg.Metrics.Bind = address
		case "adapter":
			cfg.Adapter.Bind = address
		case "upstream":
			cfg.Upstream.Embedded.Bind = address
		default:
			name, _, _ := strings.Cut(setting, ".")
			l := cfg.Listeners[name]
			l.Bind = address
			cfg.Listeners[name] = l
		}
		_, err := service.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
		var problem config.Problem
		if !errors.As(err, &problem) || problem.Key != key || !strings.HasPrefix(problem.Text, address+" is in use") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestAddressOfAnotherMachine(t *testing.T) {
	cfg := configured(t, everything)
	cfg.Upstream.Embedded.Bind = "192.0.2.1:1"
	_, err := service.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(),
		"upstream.embedded.bind: cannot listen on 192.0.2.1:1: bind: cannot assign requested address") {
		t.Error(err)
	}
}

func TestUpstreamElsewhere(t *testing.T) {
	text := strings.Replace(everything, "{embedded: {bind: 127.0.0.1:0}}", "{url: mqtt://127.0.0.1:1}", 1)
	s, err := service.Start(t.Context(), configured(t, text), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if first := s.Sockets()[0].Name; first != "adapter" {
		t.Errorf("first socket %s", first)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
