package module

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// Commands describes the lines that begin with /.
const Commands = `/message TOPIC PAYLOAD   another client publishes a message
/timer                   the keepalive timer expires
/alarm ID                the timer of set_timer with this id fires
/drain                   the gateway asks the module to drain, as before a new version
/close                   the device disconnects; the next line connects it again
//TEXT                   the device sends /TEXT`

// line executes a line of input.
func (s *session) line(line string) error {
	if strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//") {
		return s.command(line)
	}
	b := []byte(strings.TrimPrefix(line, "/") + "\n")
	if s.options.Hex {
		var err error
		if b, err = hex.DecodeString(strings.ReplaceAll(line, " ", "")); err != nil {
			return fmt.Errorf("reading the device's line %q: %w", line, err)
		}
	}
	s.waiting = append(s.waiting, b)
	s.sendWaiting()
	return nil
}

func (s *session) command(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "/message":
		topic, payload, _ := strings.Cut(rest, " ")
		if s.broker.publish(topic, 0, []byte(payload), nil) == 0 {
			s.console.note("no subscription matches %q", topic)
		}
	case "/timer":
		s.event(func(h *tracedHandler) error { return h.OnTimerTimeout(gateway.TimerKeepalive) })
		if s.conn != nil {
			s.conn.Close(gateway.ReasonKeepaliveTimeout)
		}
	case "/alarm":
		id, err := strconv.ParseUint(rest, 10, 32)
		if err != nil {
			return fmt.Errorf("reading the id of %q: %w", line, err)
		}
		s.event(func(h *tracedHandler) error { return h.OnAlarm(uint32(id)) })
	case "/drain":
		s.event((*tracedHandler).OnDrain)
	case "/close":
		s.hangUp()
	default:
		s.console.note("unknown command %s\n%s", word, Commands)
	}
	return nil
}

// event runs an event on the connection and waits for it.
func (s *session) event(do func(*tracedHandler) error) {
	if !s.connected() {
		return
	}
	h := s.handler
	s.conn.Post(func() error { return do(h) })
	s.settle()
}

// sendWaiting delivers the device's waiting lines until the module pauses reading.
func (s *session) sendWaiting() {
	for len(s.waiting) > 0 && s.connected() {
		if !s.conn.WhenReadable(func() {}) {
			return
		}
		b := s.waiting[0]
		s.waiting = s.waiting[1:]
		_ = s.conn.Receive(b) // settle notices that it ended
		s.settle()
	}
}

// connected connects the device unless it is connected.
func (s *session) connected() bool {
	if s.conn != nil {
		select {
		case <-s.handler.ended: // between two lines
			s.hangUp()
		default:
			return true
		}
	}
	conn, err := s.dialer.dial(printer{s.console, s.socket})
	if err != nil {
		s.console.note("the connection was refused: %v", err)
		s.waiting = nil
		return false
	}
	s.conn = conn
	s.settle()
	return s.conn != nil
}

// settle waits until every call is answered and every event of the connection has been handled.
func (s *session) settle() {
	if s.conn == nil {
		return
	}
	for {
		s.handler.answered()
		over := make(chan struct{})
		if !s.conn.Post(func() error { close(over); return nil }) {
			<-s.handler.ended
		}
		select {
		case <-over:
		case <-s.handler.ended:
			s.hangUp()
			return
		}
		if !s.handler.busy() {
			return
		}
	}
}

// hangUp disconnects the device and records why the connection ended.
func (s *session) hangUp() {
	if s.conn == nil {
		return
	}
	s.conn.ReadEnded(io.EOF)
	<-s.handler.ended
	if err := s.handler.failed(); err != nil {
		s.failed = fmt.Errorf("the module failed: %w", err)
	}
	s.conn = nil
}
