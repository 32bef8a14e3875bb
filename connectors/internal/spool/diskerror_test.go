package spool

import (
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

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// failing is a real folder on a disk that fails, while switched on, in the operations a test selects.
func failing(kinds []errorfs.OpKind, suffix string) (vfs.FS, *errorfs.Toggle) {
	return failingWith(syscall.ENOSPC, kinds, suffix)
}

func failingWith(err error, kinds []errorfs.OpKind, suffix string) (vfs.FS, *errorfs.Toggle) {
	toggle := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if slices.Contains(kinds, op.Kind) && strings.Contains(op.Path, suffix) {
			return err
		}
		return nil
	})}
	return errorfs.Wrap(vfs.Default, toggle), toggle
}

var (
	syncs  = []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}
	writes = []errorfs.OpKind{errorfs.OpFileWrite}
	makes  = []errorfs.OpKind{errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpRename, errorfs.OpLink}
)

// TestDiskErrors makes the disk fail at each place where pebble writes, and then recover.
func TestDiskErrors(t *testing.T) {
	for name, fault := range map[string]struct {
		kinds  []errorfs.OpKind
		suffix string
	}{
		"log write":      {writes, ".log"},
		"log sync":       {syncs, ".log"},
		"log creation":   {makes, ".log"},
		"table write":    {writes, ".sst"},
		"table sync":     {syncs, ".sst"},
		"table creation": {makes, ".sst"},
		"manifest write": {writes, "MANIFEST"},
		"manifest sync":  {syncs, "MANIFEST"},
		"deleting":       {[]errorfs.OpKind{errorfs.OpRemove}, ""},
		"everything":     {slices.Concat(writes, syncs, makes), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs, fault := failing(fault.kinds, fault.suffix)
			testDiskError(t, fs, fault)
		})
	}
}

func testDiskError(t *testing.T, fs vfs.FS, fault *errorfs.Toggle) {
	var log gatewaytest.Log
	counts := prometheus.NewRegistry()
	cfg := Config{Folder: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil)), Metrics: NewMetrics(counts)}
	s, err := open(cfg, fs, 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	q := s.Queue("dev")
	var kept []string
	try := func(i int) error {
		r := publish(fmt.Sprint(i), make([]byte, 20_000)...)
		err := put(q, r)
		if err == nil {
			kept = append(kept, r.Topic)
		}
		return err
	}
	i := 0
	for ; i < 50; i++ {
		if err := try(i); err != nil {
			t.Fatal(err)
		}
	}
	seq, _, _ := q.First()
	q.Remove(seq)
	kept = kept[1:]
	inFlight, _, _ := q.First()
	fault.On()
	for err = nil; err == nil; i++ {
		if err = try(i); i == 1500 {
			t.Fatal("the disk's error does not reach appends")
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "upstream.spool.folder "+cfg.Folder) {
		t.Errorf("the append says: %v", err)
	}
	q.Remove(inFlight)
	kept = kept[1:]
	fault.Off()
	gatewaytest.Eventually(t, "the spool to work again", func() bool {
		i++
		return try(i) == nil
	})
	if n := strings.Count(log.String(), "level=ERROR"); float64(n) != gatewaytest.Metric(t, counts,
		"exgate_spool_disk_errors_total") || n == 0 {
		t.Errorf("%d errors logged:\n%s", n, log.String())
	}
	expect(t, s, kept[:1])
	kept = kept[1:]
	s.Close()
	s, err = Open(Config{Folder: cfg.Folder, Logger: cfg.Logger})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	expect(t, s, kept)
}

// TestDeliversWhileNothingCanBeWritten delivers everything from a disk that cannot be written to, for any kind of
// error.
func TestDeliversWhileNothingCanBeWritten(t *testing.T) {
	for err, advice := range map[syscall.Errno]string{
		syscall.ENOSPC: "free space on its disk", syscall.EDQUOT: "raise the quota",
		syscall.EROFS: "make its file system writable",
		syscall.EIO:   "check the disk", syscall.EACCES: "let the account that runs the gateway write",
	} {
		t.Run(err.Error(), func(t *testing.T) {
			t.Parallel()
			fs, fault := failingWith(err, slices.Concat(writes, syncs, makes), "")
			var log gatewaytest.Log
			cfg := Config{Folder: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil))}
			s, opened := open(cfg, fs, 10*time.Millisecond)
			if opened != nil {
				t.Fatal(opened)
			}
			defer s.Close()
			q := s.Queue("dev")
			var kept []string
			for i := range 300 { // some in tables, some in the log
				mustPut(t, q, publish(fmt.Sprint(i), randomly(20_000, i)...))
				kept = append(kept, fmt.Sprint(i))
			}
			fault.On()
			if got := put(q, publish("refused")); !errors.Is(got, err) ||
				!strings.Contains(got.Error(), "upstream.spool.folder "+cfg.Folder) {
				t.Fatal(got)
			}
			if text := log.String(); strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, advice) {
				t.Errorf("logged:\n%s", text)
			}
			expect(t, s, kept)
			if got := put(q, publish("refused")); !errors.Is(got, err) {
				t.Fatal(got)
			}
			fault.Off()
			gatewaytest.Eventually(t, "the spool to work again", func() bool { return put(q, publish("again")) == nil })
			_ = s.Close()
			s = openIn(t, cfg)
			expect(t, s, []string{"again"})
			if rest := drain(s.Queue("dev")); len(rest) > 0 {
				t.Errorf("delivered again: %q", rest)
			}
		})
	}
}

// randomly returns a payload that does not compress.
func randomly(n, seed int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// expect takes the next records from "dev".
func expect(t *testing.T, s *Spool, topics []string) {
	t.Helper()
	q := s.Queue("dev")
	for _, want := range topics {
		seq, r, ok := q.First()
		if !ok || r.Topic != want {
			t.Fatalf("%v %q, want %q", ok, r.Topic, want)
		}
		q.Remove(seq)
	}
}

func TestBrokenDisk(t *testing.T) {
	fs, fault := failing(syncs, ".log")
	counts := prometheus.NewRegistry()
	cfg := Config{Folder: t.TempDir(), Logger: slog.New(slog.DiscardHandler), Metrics: NewMetrics(counts)}
	s, err := open(cfg, fs, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	q := s.Queue("dev")
	mustPut(t, q, publish("kept"))
	fault.On()
	for range 3 {
		if err := put(q, publish("refused")); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("an append: %v", err)
		}
	}
	if n := gatewaytest.Metric(t, counts, "exgate_spool_refused_total", refuseDisk); n != 3 || q.Len() != 1 {
		t.Errorf("%v refusals counted, %d records", n, q.Len())
	}
	if _, r, ok := q.First(); !ok || r.Topic != "kept" {
		t.Errorf("a disk that cannot be written to has the first record %q", r.Topic)
	}
	if err := s.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("closing: %v", err)
	}
	s = openIn(t, Config{Folder: cfg.Folder})
	if got := drain(s.Queue("dev")); len(got) == 0 || got[0] != "kept" {
		t.Errorf("left: %q", got)
	}
}

func TestFullDiskAtOpen(t *testing.T) {
	fs, fault := failing(slices.Concat(writes, syncs, makes), "")
	fault.On()
	cfg := Config{Folder: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
	if _, err := open(cfg, fs, time.Hour); !errors.Is(err, syscall.ENOSPC) ||
		!strings.Contains(err.Error(), "upstream.spool.folder "+cfg.Folder) {
		t.Fatalf("opening: %v", err)
	}
	fault.Off()
	s, err := open(cfg, fs, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestUnreadableDisk(t *testing.T) {
	fs, fault := failing([]errorfs.OpKind{errorfs.OpFileReadAt, errorfs.OpOpen}, ".sst")
	var log gatewaytest.Log
	cfg := Config{Folder: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil))}
	s, err := open(cfg, fs, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s.Queue("dev"), publish("kept"))
	if err := s.disk.Flush(); err != nil {
		t.Fatal(err)
	}
	fault.On()
	q := s.Queue("dev")
	for range 3 {
		if _, r, ok := q.First(); ok {
			t.Errorf("an unreadable disk has a first record %q", r.Topic)
		}
	}
	if strings.Count(log.String(), "level=ERROR") != 1 || !strings.Contains(log.String(), syscall.ENOSPC.Error()) {
		t.Errorf("logged:\n%s", log.String())
	}
	mustPut(t, s.Queue("other"), publish("t"))
	fault.Off()
	if got := drain(q); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("drained %q", got)
	}
	s.Close()
}
