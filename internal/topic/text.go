package topic

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxString is the length of the longest string or binary value in MQTT, in bytes: the length has two bytes (MQTT 5,
// section 1.5.4).
const MaxString = 65535

// Faults of a string. Errors of this package wrap one of these, or one of those in topic.go.
var (
	ErrEmpty        = errors.New("must not be empty")
	ErrLong         = fmt.Errorf("must be at most %d bytes", MaxString)
	ErrUTF8         = errors.New("must be valid UTF-8")
	ErrControl      = errors.New("must not contain control characters (U+0000 to U+001F, U+007F to U+009F)")
	ErrNoncharacter = errors.New("must not contain noncharacters (such as U+FFFE, U+FFFF and U+FDD0 to U+FDEF)")
)

// CheckString checks a UTF-8 string of an MQTT packet; what names it in the error. MQTT forbids NUL and surrogates, and
// allows a broker to disconnect for other control characters and noncharacters (MQTT 5, section 1.5.4), as mosquitto
// does.
func CheckString(what, s string) error {
	if err := checkText(s); err != nil {
		return fmt.Errorf("%s %.100q: %w", what, s, err)
	}
	return nil
}

// CheckBinary checks binary data of an MQTT packet, such as a password; what names it in the error. The error does not
// contain the data.
func CheckBinary(what, s string) error {
	if len(s) > MaxString {
		return fmt.Errorf("%s: %w", what, ErrLong)
	}
	return nil
}

// CheckClientID checks a client id. It may contain slashes and wildcards, since it is not a topic.
func CheckClientID(id string) error {
	if id == "" {
		return fmt.Errorf("client id: %w", ErrEmpty)
	}
	return CheckString("client id", id)
}

func checkText(s string) error {
	if len(s) > MaxString {
		return ErrLong
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return checkRunes(s[i:])
		}
		if isControl(rune(s[i])) {
			return ErrControl
		}
	}
	return nil
}

// checkRunes is checkText for non-ASCII text. Encoded surrogates are not valid UTF-8.
func checkRunes(s string) error {
	if !utf8.ValidString(s) {
		return ErrUTF8
	}
	for _, r := range s {
		switch {
		case isControl(r):
			return ErrControl
		case r&0xfffe == 0xfffe || (r >= 0xfdd0 && r <= 0xfdef):
			return ErrNoncharacter
		}
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || (r >= 0x7f && r < 0xa0) }
