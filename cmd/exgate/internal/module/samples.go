package module

import (
	"bytes"
	"errors"

	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/capture"
)

// captureBegins is the beginning of a capture file.
const captureBegins = `{"exgc":`

var errNoBytes = errors.New("the capture contains no bytes from a device")

// Session holds the pieces that one device sends.
type Session [][]byte

// Sessions returns what devices send according to a file: the connections of a capture, or one session with the whole
// file as its only piece. covered is the number of sessions that contain a masked password.
func Sessions(file []byte) (sessions []Session, covered int, err error) {
	if !bytes.HasPrefix(file, []byte(captureBegins)) {
		return []Session{{file}}, 0, nil
	}
	r, err := capture.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, 0, err
	}
	has := make(map[uint32]bool)   // connections with a masked password
	places := make(map[uint32]int) // index of a connection in sessions
	for e, err := range r.All() {
		if err != nil && !errors.Is(err, capture.ErrTruncated) {
			return nil, 0, err
		}
		has[e.Conn] = has[e.Conn] || e.Covered
		if e.Record.Kind != tap.Bytes {
			continue
		}
		place, ok := places[e.Conn]
		if !ok {
			place = len(sessions)
			places[e.Conn] = place
			sessions = append(sessions, nil)
		}
		sessions[place] = append(sessions[place], bytes.Clone(e.Record.Data))
	}
	if sessions == nil {
		return nil, 0, errNoBytes
	}
	for _, c := range has {
		if c {
			covered++
		}
	}
	return sessions, covered, nil
}

// Joined returns each session as one piece.
func Joined(sessions []Session) (samples [][]byte) {
	for _, s := range sessions {
		samples = append(samples, bytes.Join(s, nil))
	}
	return samples
}

// InOrder joins all sessions of one piece, which are frames of one device, into one session. Others stay as they are.
func InOrder(sessions []Session) []Session {
	var one Session
	for _, s := range sessions {
		if len(s) != 1 {
			return sessions
		}
		one = append(one, s[0])
	}
	return []Session{one}
}
