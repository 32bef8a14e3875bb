package framing

// unstuffed splits an escape-stuffed stream.
type unstuffed struct {
	rules   Escape
	state   stuffing
	escaped bool // the last byte was Escape
	content []byte
}

type stuffing int

const (
	outside  stuffing = iota // waiting for Start
	inside                   // a frame
	skipping                 // the rest of an abandoned frame
)

func (u *unstuffed) held() int { return len(u.content) }

func (u *unstuffed) reset() {
	u.content, u.escaped, u.state = nil, false, outside
	if u.rules.NoStart {
		u.state = inside
	}
}

// ended sets the state after End, which also begins the next frame if it equals Start, or if there is no Start.
func (u *unstuffed) ended() {
	u.content, u.escaped, u.state = nil, false, outside
	if u.rules.NoStart || u.rules.Start == u.rules.End {
		u.state = inside
	}
}

func (u *unstuffed) begin() { u.content, u.escaped, u.state = nil, false, inside }

func (u *unstuffed) giveUp() { u.content, u.escaped, u.state = nil, false, skipping }

func (u *unstuffed) next(b []byte) (used int, frame []byte, err error) {
	for used < len(b) {
		if u.state == inside && !u.escaped {
			run := u.plain(b[used:])
			if end := used + len(run); len(u.content) == 0 && len(run) > 0 && end < len(b) && b[end] == u.rules.End {
				u.ended()
				return end + 1, run, nil
			}
			u.content = append(u.content, run...)
			if used += len(run); used == len(b) {
				break
			}
		}
		frame, err = u.step(b[used])
		used++
		if frame != nil || err != nil {
			break
		}
	}
	return used, frame, err
}

// plain returns the unescaped bytes at the beginning of b, as far as the frame has room for them.
func (u *unstuffed) plain(b []byte) []byte {
	n, most := 0, min(len(b), u.rules.Max-len(u.content))
	for n < most && !u.rules.isFlag(b[n]) && b[n] != u.rules.Escape {
		n++
	}
	return b[:n:n]
}

func (u *unstuffed) step(c byte) (frame []byte, err error) {
	begun := u.state == inside && (u.escaped || len(u.content) > 0)
	switch {
	case c == u.rules.End && u.state != outside:
		return u.end()
	case u.rules.isStart(c):
		u.begin()
		if begun {
			return nil, ErrBroken
		}
	case u.state != inside:
	case u.escaped:
		return nil, u.unescape(c)
	case c == u.rules.Escape:
		u.escaped = true
	default:
		return nil, u.add(c)
	}
	return nil, nil
}

// end returns the frame, or an error if the last byte was Escape.
func (u *unstuffed) end() (frame []byte, err error) {
	if u.escaped {
		err = ErrBroken
	} else if len(u.content) > 0 {
		frame = u.content
	}
	u.ended()
	return frame, err
}

func (u *unstuffed) unescape(code byte) error {
	c, ok := u.rules.value(code)
	if !ok {
		u.giveUp()
		return ErrBroken
	}
	u.escaped = false
	return u.add(c)
}

func (u *unstuffed) add(c byte) error {
	if len(u.content) == u.rules.Max {
		u.giveUp()
		return ErrTooLong
	}
	u.content = append(u.content, c)
	return nil
}
