package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

const modelBytes, modelDeviceBytes = 60_000, 20_000

// model runs a spool next to plain slices of the topics it must contain.
type model struct {
	fs      *vfs.MemFS
	spool   *Spool
	queues  map[string]*Queue
	records map[string][]string // all records ever appended
	gone    map[string]int      // how many of them were removed
	n       int
}

func newModel(t *rapid.T) *model {
	m := &model{fs: vfs.NewCrashableMem(), records: map[string][]string{}, gone: map[string]int{}}
	m.open(t)
	return m
}

func (m *model) open(t *rapid.T) {
	cfg := Config{
		Folder: "state/spool", MaxBytes: modelBytes, MaxBytesPerDevice: modelDeviceBytes,
		Logger: slog.New(slog.DiscardHandler),
	}
	s, err := open(cfg, m.fs, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	m.spool, m.queues = s, map[string]*Queue{}
}

func (m *model) queue(id string) *Queue {
	if m.queues[id] == nil {
		m.queues[id] = m.spool.Queue(id)
	}
	return m.queues[id]
}

func drawID(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "a", "a\x00", "b"}).Draw(t, "id")
}

// Append checks that the limits of the model and of the spool agree.
func (m *model) Append(t *rapid.T) {
	id := drawID(t)
	m.n++
	r := publish(fmt.Sprintf("%06d", m.n), make([]byte, rapid.IntRange(0, 6000).Draw(t, "size"))...)
	size := valueBytes(r.encode())
	device, all := m.bytes(id), m.allBytes()
	if device == 0 {
		size += int64(len(id))
	}
	fits := device+size <= modelDeviceBytes && all+size <= modelBytes
	err := put(m.queue(id), r)
	if fits != (err == nil) || (err != nil && !errors.Is(err, ErrFull)) {
		t.Fatalf("%d bytes beside %d of the device and %d in all: %v", size, device, all, err)
	}
	if err == nil {
		m.records[id] = append(m.records[id], r.Topic)
	}
}

func (m *model) bytes(id string) int64 {
	m.spool.mu.Lock()
	defer m.spool.mu.Unlock()
	if q := m.spool.queues[id]; q != nil {
		return q.bytes
	}
	return 0
}

func (m *model) allBytes() (n int64) {
	for id := range m.records {
		n += m.bytes(id)
	}
	return n
}

func (m *model) Remove(t *rapid.T) {
	id := drawID(t)
	want := m.records[id][m.gone[id]:]
	seq, r, ok := m.queue(id).First()
	if ok != (len(want) > 0) || (ok && r.Topic != want[0]) {
		t.Fatalf("%q begins with %q (%v), want %q", id, r.Topic, ok, want)
	}
	if ok {
		m.queue(id).Remove(seq)
		m.gone[id]++
	}
}

func (m *model) Release(t *rapid.T) {
	id := drawID(t)
	if q := m.queues[id]; q != nil {
		q.Release()
		delete(m.queues, id)
	}
}

func (m *model) Reopen(t *rapid.T) {
	if err := m.spool.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(t)
}

// Crash simulates a power failure: unsynced writes are partly lost, so removed records may be back.
func (m *model) Crash(t *rapid.T) {
	seed := rapid.Uint64().Draw(t, "seed")
	percent := rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "percent")
	fs := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, 0))})
	m.spool.Close()
	m.fs = fs
	m.open(t)
	for id, records := range m.records {
		back := m.queue(id).Len() - (len(records) - m.gone[id])
		if back < 0 || back > m.gone[id] {
			t.Fatalf("%q has %d records where %d were appended and %d removed", id, m.queue(id).Len(), len(records),
				m.gone[id])
		}
		m.gone[id] -= back
	}
}

// check compares all queues.
func (m *model) check(t *rapid.T) {
	var want []string
	var bytes int64
	for id, records := range m.records {
		left := records[m.gone[id]:]
		if len(left) > 0 {
			want = append(want, id)
		}
		if got := m.topics(t, id); !slices.Equal(got, left) {
			t.Fatalf("%q has %q, want %q", id, got, left)
		}
		bytes += m.bytes(id)
	}
	left := m.spool.Left()
	slices.Sort(left)
	slices.Sort(want)
	if !slices.Equal(left, want) || bytes != m.spool.bytes {
		t.Fatalf("left: %q, want %q; %d bytes, want %d", left, want, m.spool.bytes, bytes)
	}
}

func (m *model) topics(t *rapid.T, id string) (topics []string) {
	q := m.queue(id)
	from, some := q.begin()
	if !some {
		return nil
	}
	if err := m.spool.disk.eachRecord(from, func(_ place, value []byte) bool {
		r, err := decode(value)
		if err != nil {
			t.Fatal(err)
		}
		topics = append(topics, r.Topic)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return topics
}

func TestSpoolAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		defer func() { m.spool.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"append": m.Append, "append more": m.Append, "remove": m.Remove, "release": m.Release, "reopen": m.Reopen,
			"crash": m.Crash, "": m.check,
		})
	})
}
