package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/exgate/exgate/runtime/gateway"
)

func openStore(t *testing.T, cfg Config, fs vfs.FS) *Store {
	t.Helper()
	if cfg.Folder == "" {
		cfg.Folder = t.TempDir()
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := open(cfg, fs, 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func own(t *testing.T, s *Store, owner, client string) (gateway.OwnedState, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	o, value, err := s.Open(ctx, gateway.StateKey{Owner: owner, ClientID: client})
	if err != nil {
		t.Fatal(err)
	}
	return o, string(value)
}

func save(o gateway.OwnedState, value string) gateway.Result {
	done := make(chan gateway.Result, 1)
	o.Save([]byte(value), func(r gateway.Result) { done <- r })
	return <-done
}

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	cfg := Config{Folder: t.TempDir()}
	s := openStore(t, cfg, vfs.Default)
	o, value := own(t, s, "m", "dev")
	if value != "" {
		t.Errorf("a new device has the state %q", value)
	}
	for _, v := range []string{"1", "2"} {
		if r := save(o, v); !r.Ok() {
			t.Fatal(r)
		}
	}
	gone, _ := own(t, s, "m", "gone")
	save(gone, "x")
	save(gone, "")
	o.Save([]byte("3"), func(gateway.Result) {}) // Close writes it
	closeStore(t, s)
	if r := save(o, "late"); r.Code != gateway.CodeConnProcessNotAlive {
		t.Errorf("a save after Close: %v", r)
	}
	counts := prometheus.NewRegistry()
	cfg.Metrics = NewMetrics(counts)
	s = openStore(t, cfg, vfs.Default)
	for client, want := range map[string]string{"dev": "3", "gone": ""} {
		if _, value := own(t, s, "m", client); value != want {
			t.Errorf("%s has %q, want %q", client, value, want)
		}
	}
	if _, value := own(t, s, "other", "dev"); value != "" {
		t.Errorf("another module gets %q", value)
	}
	if n := testutil.ToFloat64(cfg.Metrics.values); n != 1 {
		t.Errorf("%v values", n)
	}
}

// Saves of one device are seen at once, and one commit writes the last.
func TestSavesAreCoalesced(t *testing.T) {
	cfg := Config{Metrics: NewMetrics(nil)}
	s := openStore(t, cfg, vfs.Default)
	o, _ := own(t, s, "m", "dev")
	done := make(chan gateway.Result, 1000)
	for i := range 1000 {
		o.Save(fmt.Append(nil, i), func(r gateway.Result) { done <- r })
	}
	if _, value := own(t, s, "m", "dev"); value != "999" {
		t.Errorf("the state is %q", value)
	}
	for range 1000 {
		if r := <-done; !r.Ok() {
			t.Fatal(r)
		}
	}
	if n := testutil.ToFloat64(cfg.Metrics.saved); n == 0 || n > 900 {
		t.Errorf("%v values were written", n)
	}
}

// No client id reaches the state of another one, whatever it contains.
func TestKeysAreDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("a\x01\x00/ms+#é")), 0, 5, -1)
		a := gateway.StateKey{Owner: text.Draw(t, "owner"), ClientID: text.Draw(t, "client")}
		b := gateway.StateKey{Owner: text.Draw(t, "other owner"), ClientID: text.Draw(t, "other client")}
		if (keyOf(a) == keyOf(b)) != (a == b) {
			t.Fatalf("%+v and %+v have the keys %q and %q", a, b, keyOf(a), keyOf(b))
		}
	})
}

func TestStoreIsFull(t *testing.T) {
	cfg := Config{MaxBytes: 3 * (100 + 64 + 4), Metrics: NewMetrics(nil)}
	s := openStore(t, cfg, vfs.Default)
	value := strings.Repeat("v", 100)
	var owned []gateway.OwnedState
	for i := range 4 {
		o, _ := own(t, s, "m", fmt.Sprint(i))
		owned = append(owned, o)
		r := save(o, value)
		if full := i == 3; full != (r.Code == gateway.CodeLimit) {
			t.Errorf("device %d: %v", i, r)
		}
	}
	if _, value := own(t, s, "m", "3"); value != "" {
		t.Errorf("a refused value is there: %q", value)
	}
	if r := save(owned[0], value[:99]); !r.Ok() {
		t.Errorf("a smaller value: %v", r)
	}
	if r := save(owned[0], value+value); r.Code != gateway.CodeLimit {
		t.Errorf("a larger value: %v", r)
	}
	if r := save(owned[1], ""); !r.Ok() {
		t.Errorf("deleting: %v", r)
	}
	if r := save(owned[3], value); !r.Ok() {
		t.Errorf("after a deletion: %v", r)
	}
	if n := testutil.ToFloat64(cfg.Metrics.refused.WithLabelValues(refuseFull)); n != 2 {
		t.Errorf("%v refusals", n)
	}
}

// While another process has the folder, logins wait for it.
func TestStateIsHandedOver(t *testing.T) {
	cfg := Config{Folder: t.TempDir()}
	old := openStore(t, cfg, vfs.Default)
	o, _ := own(t, old, "m", "dev")
	next := openStore(t, cfg, vfs.Default)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := next.Open(ctx, gateway.StateKey{}); err == nil {
		t.Error("the state was read from a locked folder")
	}
	o.Save([]byte("7"), func(gateway.Result) {})
	closeStore(t, old)
	if _, value := own(t, next, "m", "dev"); value != "7" {
		t.Errorf("the state is %q", value)
	}
}

// A store that never gets the folder closes.
func TestClosedWhileItWaits(t *testing.T) {
	cfg := Config{Folder: t.TempDir()}
	openStore(t, cfg, vfs.Default)
	s := openStore(t, cfg, vfs.Default)
	closeStore(t, s)
}

// What was acknowledged stays when the disk fails, saves are refused meanwhile, and it recovers by itself.
func TestDiskErrors(t *testing.T) {
	for name, suffix := range map[string]string{"log": ".log", "tables": ".sst", "everything": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			toggle := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
				writes := []errorfs.OpKind{
					errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData,
					errorfs.OpFileSyncTo, errorfs.OpCreate,
				}
				if slices.Contains(writes, op.Kind) && strings.Contains(op.Path, suffix) {
					return syscall.ENOSPC
				}
				return nil
			})}
			cfg := Config{Metrics: NewMetrics(nil)}
			testDiskErrors(t, openStore(t, cfg, errorfs.Wrap(vfs.Default, toggle)), toggle)
		})
	}
}

func testDiskErrors(t *testing.T, s *Store, toggle *errorfs.Toggle) {
	o, _ := own(t, s, "m", "dev")
	acked, value := "", make([]byte, 4000)
	step := func() gateway.Result {
		for i := range value {
			value[i] = byte(rand.Uint32())
		}
		r := save(o, string(value))
		if r.Ok() {
			acked = string(value)
		}
		return r
	}
	for range 10 {
		if r := step(); !r.Ok() {
			t.Fatal(r)
		}
	}
	toggle.On()
	refused := false
	for i := 0; i < 5000 && !refused; i++ { // tables are written when the memtable is full
		r := step()
		if refused = !r.Ok(); refused && r != brokenResult {
			t.Fatal(r)
		}
	}
	if !refused {
		t.Fatal("a failing disk took everything")
	}
	if n := testutil.ToFloat64(s.cfg.Metrics.broken); n != 1 {
		t.Error("the gauge does not show it")
	}
	// the value whose write failed may be there, too
	if _, read := own(t, s, "m", "dev"); read != acked && read != string(value) {
		t.Error("the state that was acknowledged cannot be read while the disk fails")
	}
	toggle.Off()
	for deadline := time.Now().Add(20 * time.Second); !step().Ok(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not recover")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, value := own(t, s, "m", "dev"); value != acked {
		t.Error("the state that was acknowledged is lost")
	}
}

func TestForeignFolder(t *testing.T) {
	for _, cfg := range []Config{
		{},
		{Folder: "x", ValueBytes: -1},
		{Folder: "x", ValueBytes: MostValueBytes + 1},
		{Folder: "x", MaxBytes: -1},
		{Folder: "/dev/null/x"},
	} {
		if _, err := Open(cfg); err == nil || !strings.HasPrefix(err.Error(), "upstream.state_") {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	folder := t.TempDir()
	s := openStore(t, Config{Folder: folder}, vfs.Default)
	if err := s.disk.Set(formatKey, []byte("exgate state 9"), nil); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	if _, err := Open(Config{Folder: folder}); err == nil || errors.Is(err, errForeign) {
		t.Errorf("a later format: %v", err)
	}
}
