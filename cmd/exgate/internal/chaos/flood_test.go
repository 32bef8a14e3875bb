package chaos

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// flood is a device that publishes as fast as its socket takes it.
type flood struct {
	conn    *device
	command string       // pub or pub1, and the topic
	most    int          // messages
	written atomic.Int64 // of them
	stopped atomic.Bool
	group   sync.WaitGroup
	err     error // of writing; to be read after group
}

// padding makes the messages of a flood almost as long as a line may be.
var padding = strings.Repeat("x", 950)

// startFlood begins a flood, whose write buffer is small, until it is stopped or has written its most.
func startFlood(t *testing.T, address, id, command string, most int) *flood {
	t.Helper()
	d, err := login(address, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Conn.(*net.TCPConn).SetWriteBuffer(smallBuffer); err != nil {
		t.Fatal(err)
	}
	f := &flood{conn: d, command: command, most: most}
	f.group.Go(f.write)
	return f
}

// smallBuffer is what the system takes of a flood before the gateway does, and smallBuffers, of the section of the
// listener, what it takes then.
const (
	smallBuffer  = 16 << 10
	smallBuffers = "\n    socket: {recv_buffer: 16KiB, send_buffer: 16KiB}"
)

func (f *flood) write() {
	for n := 0; n < f.most && !f.stopped.Load(); n++ {
		if _, f.err = fmt.Fprintf(f.conn.Conn, "%s %d %s\n", f.command, n, padding); f.err != nil {
			return
		}
		f.written.Add(1)
	}
}

// stop ends the flood after the current message.
func (f *flood) stop() { f.stopped.Store(true) }

// end stops the flood and returns why it could not go on until now.
func (f *flood) end() error {
	f.stop()
	f.group.Wait()
	return f.err
}

// confirm ends the flood and reads ok for each message.
func (f *flood) confirm() error {
	if err := f.end(); err != nil {
		return err
	}
	for n := range f.written.Load() {
		if err := f.conn.confirm(); err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
	}
	return nil
}
