package chaos

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// poison is what a device does to make the broker end the connection.
type poison struct {
	name     string
	marker   string // what the broker does not take
	reason   byte   // of the broker's DISCONNECT; 0: it just ends the connection
	patience time.Duration
	commands string // of the line protocol; %s is the marker with the reason and a number
}

const (
	poisonous = "POISON" // the broker does not take it
	later     = "SECOND" // the broker takes it once
)

var poisons = []poison{
	{"publish", poisonous, 0x90, time.Second, "login publishes\npub1 %[1]s x\npub %[1]s x\npub2 %[1]s x\n"},
	{"subscribe", poisonous, 0x8F, time.Second, "login subscribes\nsub %s/#\n"},
	{"login with status", poisonous, 0x83, time.Second, "login %s\n"},
	{"retained", poisonous, 0x9A, time.Second, "login %s\n"},
	{"resubscribe", later, 0x80, troubleTime, "login resubscribes\nsub %s\npub " + poisonous + "-80-0000 x\n"},
	{"bare close", poisonous, 0, time.Second, "login closes\npub1 %[1]s x\npub %[1]s x\npub2 %[1]s x\n"},
}

// offend returns when the gateway has closed the connection, p has no more patience, or the trouble ends.
func (p poison) offend(source, address string, attempt int, end time.Time) error {
	text := fmt.Sprintf(p.commands, fmt.Sprintf("%s-%02X-%04d", p.marker, p.reason, attempt))
	return offendFrom(source, address, text, min(p.patience, time.Until(end)))
}

var marked = regexp.MustCompile("(" + poisonous + "|" + later + ")-([0-9A-F]{2})-[0-9]{4}")

// pickyProxy stands before a broker and ends each connection over which poison is sent.
type pickyProxy struct {
	address string
	ended   atomic.Int64 // connections

	mu      sync.Mutex
	reasons map[poisonKey]int // connections it ended; guarded by mu, like all fields below
	taken   map[string]bool   // what it takes once
}

type poisonKey struct {
	marker string
	reason byte
}

func startPickyProxy(t *testing.T, broker string) *pickyProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pickyProxy{address: l.Addr().String(), reasons: map[poisonKey]int{}, taken: map[string]bool{}}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { p.serve(conn, broker) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); group.Wait() }) // after the gateway has ended, and with it each connection
	return p
}

// kinds returns the number of poisons for which it has ended a connection.
func (p *pickyProxy) kinds() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, each := range poisons {
		if p.reasons[poisonKey{each.marker, each.reason}] > 0 {
			n++
		}
	}
	return n
}

func (p *pickyProxy) serve(down net.Conn, broker string) {
	defer down.Close()
	up, err := net.Dial("tcp", broker)
	if err != nil {
		return
	}
	defer up.Close()
	var group sync.WaitGroup
	group.Go(func() {
		_ = relay(down, up, func([]byte) error { return nil })
		_ = down.SetReadDeadline(time.Now())
	})
	err = relay(up, down, p.check)
	_ = up.Close()
	group.Wait()
	if end := (poisonedError{}); errors.As(err, &end) && end.reason != 0 && !end.early {
		_, _ = down.Write([]byte{0xE0, 1, end.reason}) // DISCONNECT
	}
}

type poisonedError struct {
	reason byte
	early  bool // it is in CONNECT, before there may be a DISCONNECT
}

func (poisonedError) Error() string { return "poisoned" }

// check returns a poisonedError for a packet that the broker does not take.
func (p *pickyProxy) check(packet []byte) error {
	const connect, unsubscribe = 1, 10
	kind := packet[0] >> 4
	if kind == connect && bytes.Contains(packet, []byte("-shared-")) {
		forgetSession(packet)
	}
	found := marked.FindSubmatch(packet)
	if found == nil || kind == unsubscribe || bytes.Contains(packet, []byte("exgate/control/")) {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if what := string(found[0]); string(found[1]) == later && !p.taken[what] {
		p.taken[what] = true
		return nil
	}
	reason, err := strconv.ParseUint(string(found[2]), 16, 8)
	if err != nil {
		return err
	}
	p.reasons[poisonKey{string(found[1]), byte(reason)}]++
	p.ended.Add(1)
	return poisonedError{byte(reason), kind == connect}
}

// forgetSession sets Clean Start in a CONNECT, so that its subscriptions must be made again.
func forgetSession(connect []byte) {
	const name = "\x00\x04MQTT\x05"
	if i := bytes.Index(connect, []byte(name)); i >= 0 {
		connect[i+len(name)] |= 2
	}
}

// relay passes on packets that check takes, each as a whole, until from ends.
func relay(to io.Writer, from io.Reader, check func(packet []byte) error) error {
	in, out := bufio.NewReader(from), bufio.NewWriter(to)
	for {
		packet, err := readPacket(in)
		if err == nil {
			err = check(packet)
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		if _, err := out.Write(packet); err != nil {
			return err
		}
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

// readPacket reads an MQTT packet. Its length is encoded as in protocol buffers.
func readPacket(in *bufio.Reader) ([]byte, error) {
	kind, err := in.ReadByte()
	if err != nil {
		return nil, err
	}
	length, err := binary.ReadUvarint(in)
	if err != nil {
		return nil, err
	}
	packet := binary.AppendUvarint([]byte{kind}, length)
	header := len(packet)
	packet = append(packet, make([]byte, length)...)
	_, err = io.ReadFull(in, packet[header:])
	return packet, err
}
