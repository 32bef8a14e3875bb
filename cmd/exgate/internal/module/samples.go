package module

import (
	"bytes"
	"errors"

	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/capture"
)

// captureBegins is how a file begins that is a capture.
const captureBegins = `{"exgc":`

var errNoBytes = errors.New("the capture has no bytes of a device")

// Session is what one device sends, piece by piece.
type Session [][]byte

// Sessions are what devices send according to a file: the connections of a capture, or else one session whose only piece is the file. covered is how
// many of them have a covered password in what the device sent.
func Sessions(file []byte) (sessions []Session, covered int, err error) {
	if !bytes.HasPrefix(file, []byte(captureBegins)) {
		return []Session{{file}}, 0, nil
	}
	r, err := capture.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, 0, err
	}
	has := make(map[uint32]bool)   // a covered password, by connection
	places := make(map[uint32]int) // of connections in sessions
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

// Joined are sessions as samples: each in one piece.
func Joined(sessions []Session) (samples [][]byte) {
	for _, s := range sessions {
		samples = append(samples, bytes.Join(s, nil))
	}
	return samples
}

// InOrder is one session of all that have one piece, which stand for the frames of one device. Others stay as they are.
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
