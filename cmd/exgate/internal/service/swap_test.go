package service_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/modules"
	"github.com/exgate/exgate/wasm-examples/line"
)

const (
	swaps = 5
	// messageEvery is how often a device sends, if the machine can.
	messageEvery = 10 * time.Millisecond
	// messagesAfter is how many messages each device gets through after the last swap.
	messagesAfter = 20
)

// fleet is devices that talk all the time.
type fleet struct {
	address  net.Addr
	stop     chan struct{}
	devices  sync.WaitGroup
	joined   atomic.Int64
	messages atomic.Int64
	drained  atomic.Int64 // devices that were told to connect again

	mu     sync.Mutex // guards what follows
	failed error
}

func (f *fleet) add(n int) {
	for range n {
		id := f.joined.Add(1)
		f.devices.Go(func() {
			if err := f.talk(id); err != nil {
				f.mu.Lock()
				f.failed = errors.Join(f.failed, fmt.Errorf("device %d: %w", id, err))
				f.mu.Unlock()
			}
		})
	}
}

// talk logs in and sends messages to itself by way of the broker, each with a ping. Every answer must be the next, and
// nothing else may come.
func (f *fleet) talk(id int64) error {
	c, err := net.Dial("tcp", f.address.String())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	d := &talker{Conn: c, lines: bufio.NewScanner(c)}
	d.exchange("", "hello. Type login <clientid>, then sub <filter> or pub <topic> <text>; help tells more.")
	d.exchange(fmt.Sprintf("login d%d", id), "ok")
	d.exchange(fmt.Sprintf("sub t/%d", id), "ok")
	tick := time.NewTicker(messageEvery)
	defer tick.Stop()
	rest := messagesAfter
	for n := 0; rest > 0 && d.err == nil; n++ {
		d.exchange(fmt.Sprintf("ping\npub t/%d %d", id, n), "pong", fmt.Sprintf("< t/%d %d", id, n))
		f.messages.Add(1)
		<-tick.C
		select {
		case <-f.stop:
			rest--
		default:
		}
	}
	d.exchange("quit", "bye")
	if d.told {
		f.drained.Add(1)
	}
	if d.err == nil && d.lines.Scan() {
		return fmt.Errorf("%q after the end", d.lines.Text())
	}
	return errors.Join(d.err, d.lines.Err())
}

// talker is a device of the line protocol.
type talker struct {
	net.Conn
	lines *bufio.Scanner
	told  bool // of the drain
	err   error
}

const drainNotice = "notice: please reconnect soon"

// exchange sends a command, if any, and reads exactly the answers.
func (d *talker) exchange(command string, answers ...string) {
	if d.err != nil {
		return
	}
	_ = d.SetDeadline(time.Now().Add(patience))
	if command != "" {
		_, d.err = io.WriteString(d, command+"\n")
	}
	for _, want := range answers {
		if got := d.next(); d.err == nil && got != want {
			d.err = fmt.Errorf("got %q, want %q", got, want)
		}
	}
}

// next reads the next line but for the notice of a drain, which comes once.
func (d *talker) next() string {
	if d.err != nil {
		return ""
	}
	if !d.lines.Scan() {
		d.err = errors.Join(io.ErrUnexpectedEOF, d.lines.Err())
		return ""
	}
	if d.lines.Text() == drainNotice && !d.told {
		d.told = true
		return d.next()
	}
	return d.lines.Text()
}

// TestLiveSwapUnderLoad swaps versions in while devices talk, as a person does it: by files. No device may lose
// anything.
func TestLiveSwapUnderLoad(t *testing.T) {
	size := 1000
	if raceEnabled || testing.Short() {
		size = 120
	}
	h := newFixture(t, "", map[string]string{
		"line.wasm": string(line.Module),
		"line.yaml": listens + "config: hello\n",
	})
	f := &fleet{address: h.socket("line"), stop: make(chan struct{})}
	began := time.Now()
	for i := range swaps {
		f.add(size / (swaps + 1))
		h.swap(i, lineVersion(fmt.Sprint(i)))
	}
	f.add(size - size/(swaps+1)*swaps)
	close(f.stop)
	f.devices.Wait()
	took := time.Since(began)
	if f.failed != nil {
		t.Fatal(f.failed)
	}
	t.Logf("%d devices, %d swaps, %d messages up and down in %v: %.0f a second, %.0f a device", size, swaps,
		f.messages.Load(), took.Round(time.Millisecond),
		float64(f.messages.Load())/took.Seconds(), float64(f.messages.Load())/took.Seconds()/float64(size))
	// that which serves, and the one that is kept warm
	last := h.await("line", func(m modules.Status) bool { return len(m.Module.Versions) == 2 })
	if young := int64(last.Module.Versions[0].Served); young == 0 || f.drained.Load() != int64(size)-young {
		t.Errorf("%d of %d devices were told to drain, and %d have the last version", f.drained.Load(), size, young)
	}
}

// swap puts a file into the folder, in one of the ways that people do, and waits until it serves.
func (h *fixture) swap(i int, module []byte) {
	h.t.Helper()
	path := filepath.Join(h.folder, "line.wasm")
	switch i % 3 {
	case 0:
		h.write("line.wasm", module)
	case 1:
		h.write("line.wasm.part", module)
		if err := os.Rename(path+".part", path); err != nil {
			h.t.Fatal(err)
		}
	case 2:
		h.write("line.wasm", module[:len(module)/2])
		h.await("line", func(m modules.Status) bool {
			return m.State == modules.Waiting && strings.Contains(m.Reason, "is incomplete")
		})
		h.write("line.wasm", module)
	}
	sum := sha256.Sum256(module)
	h.await("line", func(m modules.Status) bool {
		return m.State == modules.Loaded && m.Module.Versions[0].Digest == hex.EncodeToString(sum[:])
	})
}
