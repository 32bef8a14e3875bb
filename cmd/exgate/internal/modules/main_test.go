package modules

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patienceOfTests = 90 * time.Second

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// fixture is a gateway with a watched folder of modules.
type fixture struct {
	t       *testing.T
	path    string
	gateway *gateway.Gateway
	config  Config
	folder  *Folder
}

// newFixture creates a fixture whose folder initially has the given files.
func newFixture(t *testing.T, files map[string][]byte) *fixture {
	t.Helper()
	return newFixtureWith(t, files, func(*Config) {})
}

func newFixtureWith(t *testing.T, files map[string][]byte, change func(*Config)) *fixture {
	t.Helper()
	h := &fixture{
		t: t, path: filepath.Join(t.TempDir(), "modules"),
		gateway: gateway.New(gateway.Config{Node: "n", Logger: quiet}),
	}
	must(t, os.Mkdir(h.path, 0o700))
	for name, data := range files {
		h.write(name, data)
	}
	broker, err := embedded.New(embedded.Config{Logger: quiet})
	must(t, err)
	must(t, h.gateway.SetConnector("broker", broker))
	h.config = Config{
		Path: h.path, Gateway: h.gateway, Listen: h.listen, Logger: quiet,
		times: times{settle: 20 * time.Millisecond, poll: 50 * time.Millisecond, startWait: time.Minute},
	}
	change(&h.config)
	h.folder, err = Open(t.Context(), h.config)
	must(t, err)
	t.Cleanup(func() { h.end(h.folder, h.gateway) })
	return h
}

func (h *fixture) end(f *Folder, g *gateway.Gateway) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patienceOfTests)
	defer cancel()
	must(h.t, f.Close(ctx))
	must(h.t, g.Shutdown(ctx))
}

// openAgain opens the folder for another gateway.
func (h *fixture) openAgain() *Folder {
	h.t.Helper()
	c := h.config
	c.Gateway = gateway.New(gateway.Config{Node: "n2", Logger: quiet})
	f, err := Open(h.t.Context(), c)
	must(h.t, err)
	h.t.Cleanup(func() { h.end(f, c.Gateway) })
	return f
}

func (h *fixture) listen(ctx context.Context, name string, m *config.Module) (net.Addr, func() error, error) {
	l, err := listener.ListenTCP(ctx, listener.TCPConfig{Bind: m.Listener.Bind})
	if err != nil {
		return nil, nil, err
	}
	if err := h.gateway.AddListener(name, l, gateway.ListenerConfig{
		Handler:   Handler(name),
		Connector: "broker",
	}); err != nil {
		return nil, nil, err
	}
	return l.Addr(), func() error { return h.gateway.DetachListener(name) }, nil
}

func (h *fixture) file(name string) string { return filepath.Join(h.path, name) }

func (h *fixture) write(name string, data []byte) {
	h.t.Helper()
	must(h.t, os.WriteFile(h.file(name), data, 0o600))
}

// replace writes a file next to the folder and renames it into place.
func (h *fixture) replace(name string, data []byte) {
	h.t.Helper()
	beside := filepath.Join(filepath.Dir(h.path), name)
	must(h.t, os.WriteFile(beside, data, 0o600))
	must(h.t, os.Rename(beside, h.file(name)))
}

// status waits for a status of the module that satisfies the condition, and returns it.
func (h *fixture) status(name, what string, wanted func(Status) bool) Status {
	h.t.Helper()
	var s Status
	eventually(h.t, name+" "+what, func() bool {
		s, _ = h.folder.Find(name)
		return wanted(s)
	}, func() { h.t.Logf("it is %+v", s) })
	return s
}

func (h *fixture) state(name string, want State) Status {
	h.t.Helper()
	return h.status(name, string(want), func(s Status) bool { return s.State == want })
}

// serves waits until the file is the active version of the module.
func (h *fixture) serves(name string, module []byte) Status {
	h.t.Helper()
	return h.status(name, "serves", func(s Status) bool {
		return s.State == Loaded && len(s.Module.Versions) > 0 && s.Module.Versions[0].Digest == digest(module) &&
			s.Module.Versions[0].State == "serving"
	})
}

func eventually(t *testing.T, what string, condition func() bool, otherwise func()) {
	t.Helper()
	deadline := time.After(patienceOfTests)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			otherwise()
			t.Fatal("never happened: ", what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
