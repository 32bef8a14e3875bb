package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// openIn opens a spool and closes it when the test ends.
func openIn(t testing.TB, cfg Config) *Spool {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func publish(topic string, payload ...byte) Record {
	return Record{Topic: topic, Payload: payload, QoS: 1, At: time.Now()}
}

// put appends a record and waits for the result.
func put(q *Queue, r Record) error {
	done := make(chan error, 1)
	q.Append(r, func(err error) { done <- err })
	return <-done
}

func mustPut(t testing.TB, q *Queue, r Record) {
	t.Helper()
	if err := put(q, r); err != nil {
		t.Fatal(err)
	}
}

// drain removes all records from a queue and returns their topics.
func drain(q *Queue) (topics []string) {
	for {
		seq, r, ok := q.First()
		if !ok {
			return topics
		}
		topics = append(topics, r.Topic)
		q.Remove(seq)
	}
}

func TestRecordsComeBackInOrderAfterReopening(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "spool")
	s := openIn(t, Config{Folder: folder})
	q := s.Queue("dev")
	sent := Record{
		Topic: "t/1", Payload: []byte("hello"), QoS: 2, Properties: []byte{1, 2},
		At: time.Now().Add(-time.Hour),
	}
	mustPut(t, q, sent)
	for i := range 20 {
		mustPut(t, q, publish(fmt.Sprint(i)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openIn(t, Config{Folder: folder})
	if left := s.Left(); !slices.Equal(left, []string{"dev"}) {
		t.Fatalf("left: %q", left)
	}
	q = s.Queue("dev")
	seq, r, ok := q.First()
	if !ok || r.Topic != sent.Topic || string(r.Payload) != "hello" || r.QoS != 2 ||
		string(r.Properties) != "\x01\x02" ||
		!r.At.Equal(sent.At.Truncate(time.Microsecond)) {
		t.Fatalf("first: %v %+v", ok, r)
	}
	q.Remove(seq)
	mustPut(t, q, publish("last"))
	want := make([]string, 21)
	for i := range 20 {
		want[i] = fmt.Sprint(i)
	}
	want[20] = "last"
	if got := drain(q); !slices.Equal(got, want) {
		t.Fatalf("drained %q", got)
	}
}

func TestRemovedRecordsStayRemoved(t *testing.T) {
	folder := t.TempDir()
	s := openIn(t, Config{Folder: folder})
	q := s.Queue("dev")
	mustPut(t, q, publish("a"))
	mustPut(t, q, publish("b"))
	seq, _, _ := q.First()
	q.Remove(seq)
	q.Remove(seq)
	if again, r, _ := q.First(); again == seq || r.Topic != "b" || q.Len() != 1 {
		t.Fatalf("after a removal: %d %q, %d records", again, r.Topic, q.Len())
	}
	s.Close()
	s = openIn(t, Config{Folder: folder})
	if got := drain(s.Queue("dev")); !slices.Equal(got, []string{"b"}) {
		t.Fatalf("drained %q", got)
	}
}

func TestOneQueueForAClientID(t *testing.T) {
	s := openIn(t, Config{Folder: t.TempDir()})
	a, b := s.Queue("dev"), s.Queue("dev")
	if a != b {
		t.Fatal("two queues of one id in use")
	}
	mustPut(t, a, publish("x"))
	a.Release()
	b.Release()
	c := s.Queue("dev")
	if c != a || c.Len() != 1 {
		t.Fatal("a queue with records was forgotten")
	}
	drain(c)
	c.Release()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queues) != 0 || s.bytes != 0 {
		t.Fatalf("%d queues and %d bytes without records and users", len(s.queues), s.bytes)
	}
}

func TestAppendCopiesItsRecord(t *testing.T) {
	s := openIn(t, Config{Folder: t.TempDir()})
	q := s.Queue("dev")
	payload := []byte("before")
	done := make(chan error, 1)
	q.Append(Record{Topic: "t", Payload: payload, QoS: 1}, func(err error) { done <- err })
	copy(payload, "after.")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, r, _ := q.First(); string(r.Payload) != "before" || time.Since(r.At) > time.Hour {
		t.Fatalf("kept %q of %v", r.Payload, r.At)
	}
}

func TestHostileClientIDs(t *testing.T) {
	folder := t.TempDir()
	ids := []string{
		"", "\x00", "\x00\x00", "a", "a\x00", "a\x00\x01", "ab", "r", "c", "f", strings.Repeat("\x00", 8),
		strings.Repeat("\xff", 16),
		"ü/€/😀", "../../etc/passwd", strings.Repeat("x", 65535), strings.Repeat("x", 65534),
	}
	s := openIn(t, Config{Folder: folder})
	for _, id := range ids {
		mustPut(t, s.Queue(id), publish("1 of "+id))
	}
	for _, id := range ids {
		mustPut(t, s.Queue(id), publish("2 of "+id))
	}
	s.Close()
	s = openIn(t, Config{Folder: folder})
	left := s.Left()
	slices.Sort(left)
	slices.Sort(ids)
	if !slices.Equal(left, ids) {
		t.Fatalf("left: %.200q", left)
	}
	for _, id := range ids {
		if got := drain(s.Queue(id)); !slices.Equal(got, []string{"1 of " + id, "2 of " + id}) {
			t.Errorf("%.20q: drained %.200q", id, got)
		}
	}
}

func TestClosedSpool(t *testing.T) {
	s := openIn(t, Config{Folder: t.TempDir()})
	q := s.Queue("dev")
	mustPut(t, q, publish("t"))
	seq, _, _ := q.First()
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := put(q, publish("t")); !errors.Is(err, ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, _, ok := q.First(); ok {
		t.Error("a closed spool has a first record")
	}
	q.Remove(seq)
	q.Release()
}

func TestCloseCommitsWhatWaits(t *testing.T) {
	folder := t.TempDir()
	s := openIn(t, Config{Folder: folder})
	q := s.Queue("dev")
	results := make(chan error, 1000)
	for i := range cap(results) {
		q.Append(publish(fmt.Sprint(i)), func(err error) { results <- err })
	}
	s.Close()
	for range cap(results) {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
	s = openIn(t, Config{Folder: folder})
	if n := s.Queue("dev").Len(); n != cap(results) {
		t.Fatalf("%d records are left", n)
	}
}

func TestQoS0IsRefused(t *testing.T) {
	s := openIn(t, Config{Folder: t.TempDir()})
	if err := put(s.Queue("dev"), Record{Topic: "t"}); err == nil || s.Queue("dev").Len() != 0 {
		t.Fatalf("QoS 0: %v", err)
	}
}

func TestOneSpoolForAFolder(t *testing.T) {
	folder := t.TempDir()
	s := openIn(t, Config{Folder: folder})
	if _, err := Open(Config{Folder: folder}); !errors.Is(err, ErrLocked) ||
		!strings.Contains(err.Error(), "upstream.spool.folder "+folder) {
		t.Fatalf("the second one: %v", err)
	}
	s.Close()
	openIn(t, Config{Folder: folder})
}

func TestFolderIsTheOwners(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "spool")
	openIn(t, Config{Folder: folder})
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v %v", info.Mode(), err)
	}
}
