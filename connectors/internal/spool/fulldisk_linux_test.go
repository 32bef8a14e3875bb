package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// smallDisk mounts a file system of mib MiB and returns its folder.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		if os.Getuid() == 0 && os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("mounting needs root:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// fill appends records to the queues, round robin, until the disk is full, and returns their topics by queue.
func fill(t *testing.T, queues []*Queue) (kept [][]string, refusal error) {
	t.Helper()
	kept = make([][]string, len(queues))
	for i := 0; ; i++ {
		at := i % len(queues)
		r := publish(fmt.Sprint(i), randomly(20_000, i)...)
		if err := put(queues[at], r); err != nil {
			return kept, err
		}
		kept[at] = append(kept[at], r.Topic)
	}
}

func openSmall(t *testing.T, folder string, pause time.Duration, log *gatewaytest.Log,
	counts *prometheus.Registry,
) *Spool {
	t.Helper()
	cfg := Config{
		Folder: folder, MaxBytesPerDevice: 1 << 30, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Metrics: NewMetrics(counts),
	}
	s, err := open(cfg, vfs.Default, pause)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// works waits until the spool accepts records again.
func works(t *testing.T, q *Queue) {
	t.Helper()
	gatewaytest.Eventually(t, "the spool to take records again", func() bool { return put(q, publish("again")) == nil })
}

// TestFullDisk fills disks of several sizes with the spool alone. Every acknowledged record is delivered, and then the
// spool recovers by itself.
func TestFullDisk(t *testing.T) {
	for _, mib := range []int{4, 10, 40} {
		t.Run(fmt.Sprint(mib, " MiB"), func(t *testing.T) {
			var log gatewaytest.Log
			counts := prometheus.NewRegistry()
			folder := filepath.Join(smallDisk(t, mib), "spool")
			s := openSmall(t, folder, time.Hour, &log, counts) // it recovers as soon as it is empty
			q := s.Queue("dev")
			kept, err := fill(t, []*Queue{q})
			if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "upstream.spool.folder "+folder) ||
				len(kept[0]) == 0 {
				t.Fatalf("%d records, then %v", len(kept[0]), err)
			}
			for range 3 {
				if err := put(q, publish("refused", randomly(20_000, 1)...)); !errors.Is(err, syscall.ENOSPC) {
					t.Fatal(err)
				}
			}
			if n := gatewaytest.Metric(t, counts, "exgate_spool_refused_total", refuseDisk); n != 4 {
				t.Errorf("%v refusals counted", n)
			}
			if text := log.String(); strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, folder) ||
				!strings.Contains(text, adviceFull) {
				t.Errorf("logged:\n%s", text)
			}
			expect(t, s, kept[0])
			works(t, q)
			if got := drain(q); !slices.Equal(slices.Compact(got), []string{"again"}) {
				t.Errorf("then it holds %q", got)
			}
		})
	}
}

// TestFullDiskOfManyDevices expects the spool to recover while one device's records cannot be delivered, thanks to the
// reserve.
func TestFullDiskOfManyDevices(t *testing.T) {
	var log gatewaytest.Log
	s := openSmall(t, filepath.Join(smallDisk(t, 120), "spool"), 10*time.Millisecond, &log, prometheus.NewRegistry())
	stuck, busy := s.Queue("stuck"), s.Queue("busy")
	mustPut(t, stuck, publish("stays"))
	kept, _ := fill(t, []*Queue{busy})
	if got := drain(busy); !slices.Equal(got, kept[0]) {
		t.Fatalf("%d of %d came", len(got), len(kept[0]))
	}
	works(t, busy)
	if _, r, ok := stuck.First(); !ok || r.Topic != "stays" {
		t.Fatalf("%v %q", ok, r.Topic)
	}
}

// TestFullDiskAtStart opens a spool on a disk that an earlier process or other files have filled.
func TestFullDiskAtStart(t *testing.T) {
	for _, others := range []bool{false, true} {
		var log gatewaytest.Log
		disk := smallDisk(t, 20)
		folder := filepath.Join(disk, "spool")
		s := openSmall(t, folder, 10*time.Millisecond, &log, prometheus.NewRegistry())
		kept, _ := fill(t, []*Queue{s.Queue("dev")})
		_ = s.Close()
		ballast := filepath.Join(disk, "ballast")
		if others {
			_ = os.Remove(filepath.Join(folder, "reserve"))
			f, err := os.Create(ballast)
			if err != nil {
				t.Fatal(err)
			}
			for err = nil; err == nil; {
				_, err = f.Write(make([]byte, 4096))
			}
			_ = f.Close()
		}
		s = openSmall(t, folder, 10*time.Millisecond, &log, prometheus.NewRegistry())
		got := drain(s.Queue("dev")) // records refused last may be on disk after a crash
		if len(got) < len(kept[0]) || !slices.Equal(got[:len(kept[0])], kept[0]) {
			t.Fatalf("%d of %d came", len(got), len(kept[0]))
		}
		if others {
			_ = os.Remove(ballast)
		}
		works(t, s.Queue("dev"))
		_ = s.Close()
	}
}
