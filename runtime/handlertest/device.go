package handlertest

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"reflect"
	"syscall"
	"testing"
	"time"
)

// device is the far end of a real socket, which speaks JSON.
type device struct {
	t      *testing.T
	conn   *net.TCPConn
	frames *json.Decoder
}

func dial(t *testing.T, addr string) *device {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return &device{t: t, conn: c.(*net.TCPConn), frames: json.NewDecoder(c)}
}

// send writes s in one piece.
func (d *device) send(s string) {
	d.t.Helper()
	if _, err := d.conn.Write([]byte(s)); err != nil {
		d.t.Fatal(err)
	}
}

// expect reads one frame and compares it as JSON.
func (d *device) expect(want string) {
	d.t.Helper()
	var got, wanted any
	if err := d.frames.Decode(&got); err != nil {
		d.t.Fatalf("waiting for %s: %v", want, err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		d.t.Fatal(err)
	}
	if !reflect.DeepEqual(got, wanted) {
		d.t.Errorf("got %v, want %v", got, wanted)
	}
}

// ask sends a frame and expects its answer.
func (d *device) ask(frame, want string) {
	d.t.Helper()
	d.send(frame)
	d.expect(want)
}

// expectClosed reads the end of the connection, with nothing before it.
func (d *device) expectClosed() {
	d.t.Helper()
	var more any
	err := d.frames.Decode(&more)
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		d.t.Errorf("got %v, %v, want the end of the connection", more, err)
	}
}

// hangUp ends the connection from the device's side.
func (d *device) hangUp() {
	d.t.Helper()
	if err := d.conn.Close(); err != nil {
		d.t.Fatal(err)
	}
}
