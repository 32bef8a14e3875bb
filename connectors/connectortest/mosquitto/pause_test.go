package mosquitto

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	b := Start(t, Options{})
	b.Pause(t)
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatalf("the system accepts no connection for a paused broker: %v", err)
	}
	defer conn.Close()
	if _, err := conn.Write(connectPacket); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // cannot fail on a slow machine
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a paused broker sends %d bytes, %v", n, err)
	}
	b.Resume(t)
	readConnack(t, conn)
}

func TestStopPaused(t *testing.T) {
	b := Start(t, Options{})
	b.Pause(t)
	b.Stop(t)
	b.Restart(t)
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	wantConnack(t, conn)
}
