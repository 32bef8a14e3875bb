package module

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// Commands says what lines that begin with / do.
const Commands = `/message TOPIC PAYLOAD   somebody else publishes, which reaches the device if it subscribed
/timer                   the keepalive ends, and with it the connection
/drain                   the gateway stops, or has a newer version of the module
/close                   the device hangs up; the next line connects it again
//TEXT                   the device sends /TEXT`

// line does what a line says.
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
		if s.broker.publish(topic, 0, []byte(payload)) == 0 {
			s.console.note("nobody subscribed to %q", topic)
		}
	case "/timer":
		s.event(func(h *shownHandler) error { return h.OnTimerTimeout(gateway.TimerKeepalive) })
		if s.conn != nil {
			s.conn.Close(gateway.ReasonKeepaliveTimeout)
		}
	case "/drain":
		s.event((*shownHandler).OnDrain)
	case "/close":
		s.hangUp()
	default:
		s.console.note("there is no command %s\n%s", word, Commands)
	}
	return nil
}

// event runs an event on the connection, and waits for it.
func (s *session) event(do func(*shownHandler) error) {
	if !s.connected() {
		return
	}
	h := s.handler
	s.conn.Post(func() error { return do(h) })
	s.settle()
}

// sendWaiting gives the module the device's lines, as long as it takes them.
func (s *session) sendWaiting() {
	for len(s.waiting) > 0 && s.connected() {
		if !s.conn.WhenReadable(func() {}) {
			return
		}
		b := s.waiting[0]
		s.waiting = s.waiting[1:]
		_ = s.conn.Receive(b) // that it ended is seen by settle
		s.settle()
	}
}

// connected connects the device where it is not.
func (s *session) connected() bool {
	if s.conn != nil {
		select {
		case <-s.handler.ended: // while nobody typed
			s.hangUp()
		default:
			return true
		}
	}
	conn, err := s.dialer.dial(printer{s.console, s.socket})
	if err != nil {
		s.console.note("the connection is refused: %v", err)
		s.waiting = nil
		return false
	}
	s.conn = conn
	s.settle()
	return s.conn != nil
}

// settle waits until every call is answered, and every event of the connection is over.
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

// hangUp ends the device's side, and takes note of why the connection ended.
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
