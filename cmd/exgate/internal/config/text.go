package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unicode/utf8"

	"github.com/exgate/exgate/internal/boundedfile"
)

// maxFile bounds a configuration file; beyond it a wrong file was named.
const maxFile = 4 << 20

// readText reads a configuration file. Its error is for a person.
func readText(name string) ([]byte, error) {
	if name == "-" {
		return nil, errors.New("is no file: a configuration is read again on an upgrade, so that it cannot come from the standard input")
	}
	data, err := boundedfile.Read(name, maxFile)
	switch {
	case errors.Is(err, boundedfile.ErrTooLarge):
		return nil, fmt.Errorf("is larger than %d MiB: is it a configuration file?", maxFile>>20)
	case errors.Is(err, boundedfile.ErrNotRegular):
		return nil, fmt.Errorf("cannot be read: is %s", whatIs(name))
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	return data, nil
}

// whatIs says what has the name of a file and is none.
func whatIs(name string) string {
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		return "a directory"
	}
	if err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		return "a named pipe, not a regular file"
	}
	return "not a regular file"
}

// notText says in which line data is not the text that YAML is made of, and why. It returns nil where all is well.
func notText(data []byte) *syntaxError {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil // UTF-16, which says so
	}
	for line, rest := 1, data; len(rest) > 0; line++ {
		text, after, _ := bytes.Cut(rest, []byte("\n"))
		for i := 0; i < len(text); {
			r, size := utf8.DecodeRune(text[i:])
			switch {
			case r == 0:
				return &syntaxError{line, "holds a NUL byte: is it a text file? If it is UTF-16, save it as UTF-8"}
			case r == utf8.RuneError && size == 1:
				return &syntaxError{line, fmt.Sprintf("the byte 0x%02x is not UTF-8: the file may be in Latin-1 or Windows-1252, save it as UTF-8", text[i])}
			case r < ' ' && r != '\t' && r != '\r', r == 0x7f:
				return &syntaxError{line, fmt.Sprintf("holds the control character 0x%02x: is it a text file?", r)}
			case r == '\u00a0' && len(bytes.TrimLeft(text[:i], " \t\u00a0")) == 0:
				return &syntaxError{line, "is indented with a no-break space: use plain spaces"}
			case r == '\u2028' || r == '\u2029' || r == '\u0085':
				return &syntaxError{line, fmt.Sprintf("holds the line separator U+%04X: remove it", r)}
			}
			i += size
		}
		rest = after
	}
	return nil
}
