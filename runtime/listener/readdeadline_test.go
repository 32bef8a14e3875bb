package listener

import (
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A goroutine that has called the handler is replaced once, replaceReaderAfter later; lingering overrides that from
// either side.
func TestReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at time.Time
		d := readDeadline{set: func(t time.Time) error { at = t; return nil }}
		if d.expired(os.ErrDeadlineExceeded) {
			t.Error("a goroutine that called nobody was replaced")
		}
		start := time.Now()
		d.age()
		time.Sleep(time.Second)
		d.age()
		if want := start.Add(replaceReaderAfter); !at.Equal(want) {
			t.Errorf("the deadline is %v, want %v", at, want)
		}
		if d.expired(io.EOF) {
			t.Error("the end of a connection was taken for a rest")
		}
		if !d.expired(os.ErrDeadlineExceeded) || !at.IsZero() {
			t.Errorf("not rested, or the deadline %v was kept", at)
		}
		if err := d.giveUpAfter(time.Second); err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(time.Second)
		d.age()
		if !at.Equal(end) || d.expired(os.ErrDeadlineExceeded) {
			t.Errorf("a closed connection is read until %v, want %v", at, end)
		}
	})
}
