package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
)

// model is the simplest implementation of a window.
type model struct {
	events []uint64 // seqs
	sent   int
	last   uint64
}

// taken returns the seqs of a frame.
func taken(t interface{ Fatal(...any) }, frame []byte) (seqs []uint64) {
	var decoded handlerv1.GatewayFrame
	if err := proto.Unmarshal(frame, &decoded); err != nil {
		t.Fatal(err)
	}
	for _, e := range decoded.GetEvents() {
		if want := strings.Repeat("x", int(e.GetSeq()%5)); string(e.GetBytes()) != want || e.GetConn() != 9 {
			t.Fatal("wrong event", e)
		}
		seqs = append(seqs, e.GetSeq())
	}
	return seqs
}

func TestWindowIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		var m model
		t.Repeat(map[string]func(*rapid.T){
			"add": func(*rapid.T) {
				m.last++
				m.events = append(m.events, m.last)
				w.Add(9, bytesEvent, []byte(strings.Repeat("x", int(m.last%5))), 0)
			},
			"take": func(t *rapid.T) {
				want := m.events[m.sent:]
				got := taken(t, w.Take(nil, rapid.IntRange(0, 100).Draw(t, "full")))
				if len(got) > len(want) || len(got) == 0 && len(want) > 0 || !slices.Equal(got, want[:len(got)]) {
					t.Fatalf("took %v of %v", got, want)
				}
				m.sent += len(got)
			},
			"ack": func(t *rapid.T) {
				seq := rapid.Uint64Range(0, m.last+1).Draw(t, "seq")
				future := seq > w.Acked() && (m.sent == 0 || seq > m.events[m.sent-1])
				done := 0
				if ok := w.Ack(seq, func(eventKind, time.Duration) { done++ }); ok == future {
					t.Fatalf("ack of %d: %v", seq, ok)
				}
				if future {
					return
				}
				for len(m.events) > 0 && m.events[0] <= seq {
					m.events, m.sent, done = m.events[1:], m.sent-1, done-1
				}
				if done != 0 {
					t.Fatalf("%d events too many are done", done)
				}
			},
			"rewind":      func(*rapid.T) { w.Rewind(); m.sent = 0 },
			"drop unsent": func(*rapid.T) { w.DropUnsent(); m.events = m.events[:m.sent] },
			"clear":       func(*rapid.T) { w.Clear(); m.events, m.sent = nil, 0 },
			"": func(t *rapid.T) {
				size := 0
				for _, seq := range m.events {
					size += int(seq % 5)
				}
				if w.Len() != len(m.events) || w.Size() != size || w.Unsent() != (m.sent < len(m.events)) ||
					w.Sent() != (m.sent > 0) {
					t.Fatalf("%+v, want %+v of %d bytes", w, m, size)
				}
			},
		})
	})
}

// A stream that breaks before Created was acknowledged: another Created goes before the rest, so the first one is not
// sent again.
func TestWindowForgetsCreated(t *testing.T) {
	var w window
	w.Add(9, createdEvent, nil, 0)
	w.Rewind()
	if w.Len() != 1 {
		t.Error("Created that did not go out was dropped")
	}
	w.Take(nil, maxFrame)
	w.Add(9, bytesEvent, nil, 0)
	w.Rewind()
	if got := fmt.Sprint(w.Len(), w.Acked(), w.Unsent()); got != "1 1 true" {
		t.Error(got)
	}
}

func TestWindowLimits(t *testing.T) {
	var w window
	l := windowLimits{Events: 2, Bytes: 10}
	if !w.Room(100, l) {
		t.Error("an empty window has no room for a large event")
	}
	w.Add(9, bytesEvent, make([]byte, 4), 0)
	for size, want := range map[int]bool{0: true, 6: true, 7: false} {
		if w.Room(size, l) != want {
			t.Errorf("room for %d: %v", size, !want)
		}
	}
	w.Add(9, bytesEvent, nil, 0)
	if !w.Full(l) {
		t.Error("it is not full")
	}
}

func TestQueue(t *testing.T) {
	var q resultQueue
	body := make([]byte, maxFrame/5)
	for range 10 {
		q.Add(1, resultEvent, body)
	}
	if size := q.Size(); size < 10*len(body) {
		t.Errorf("%d bytes", size)
	}
	frames := 0
	for q.Size() > 0 {
		if frame := q.Take(nil); len(frame) > maxFrame {
			t.Errorf("a frame of %d bytes", len(frame))
		}
		frames++
	}
	if frames != 4 || len(q.Take(nil)) > 0 {
		t.Errorf("%d frames", frames)
	}
}
