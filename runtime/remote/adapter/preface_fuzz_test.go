package adapter

import (
	"strings"
	"testing"
)

// FuzzPreface checks that the verdict about a client does not depend on how its first bytes are split.
func FuzzPreface(f *testing.F) {
	f.Add(false, clientPreface, uint8(3))
	f.Add(true, "\x16\x03\x01", uint8(1))
	f.Add(false, "PRINT\n", uint8(2))
	f.Fuzz(func(t *testing.T, secure bool, text string, piece uint8) {
		c := &prefaceConn{listener: newPrefaceListener(nil, secure, nil).(*prefaceListener)}
		advice := ""
		for rest := text; rest != "" && !c.judged; {
			n := min(max(int(piece), 1), len(rest))
			advice, rest = c.judge([]byte(rest[:n])), rest[n:]
		}
		first := text[:min(len(text), len(clientPreface))]
		fits := strings.HasPrefix(clientPreface, first)
		if secure {
			fits = text == "" || text[0] == tlsRecord
		}
		if fits != (advice == "") {
			t.Errorf("%q: %q", text, advice)
		}
	})
}
