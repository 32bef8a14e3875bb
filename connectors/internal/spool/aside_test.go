package spool

import (
	"bytes"
	"testing"
	"time"
)

// TestSetAside moves a record to a file that outlives the spool, and expects the others to stay in order.
func TestSetAside(t *testing.T) {
	folder := t.TempDir() + "/spool"
	s, err := Open(Config{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	q := s.Queue("c")
	for _, topic := range []string{"bad", "good"} {
		done := make(chan error, 1)
		q.Append(Record{Topic: topic, Payload: []byte{0, 0xff}, QoS: 1, Properties: []byte{38}, At: time.Now()},
			func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	seq, _, _ := q.First()
	if err := q.SetAside(seq, "why"); err != nil {
		t.Fatal(err)
	}
	if err := q.SetAside(seq, "again"); err != nil {
		t.Fatal(err)
	}
	if _, r, ok := q.First(); !ok || r.Topic != "good" {
		t.Fatal(r, ok)
	}
	q.Release()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Config{Folder: folder}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := ListAside(folder)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	a := list[0]
	if a.ClientID != "c" || a.Topic != "bad" || a.QoS != 1 || a.Reason != "why" ||
		!bytes.Equal(a.Payload, []byte{0, 0xff}) || !bytes.Equal(a.Properties, []byte{38}) {
		t.Fatalf("%+v", a)
	}
	for _, id := range []string{"", "../" + a.ID, "."} {
		if DropAside(folder, id) == nil {
			t.Error(id)
		}
	}
	if err := DropAside(folder, a.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := ListAside(folder); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
}

// TestAsideIsBounded expects a record to stay in the queue if too many have been set aside.
func TestAsideIsBounded(t *testing.T) {
	folder := t.TempDir()
	for range maxAside {
		if err := (Aside{Topic: "t"}).write(folder); err != nil {
			t.Fatal(err)
		}
	}
	if err := (Aside{Topic: "t"}).write(folder); err != ErrAsideFull {
		t.Fatal(err)
	}
}
