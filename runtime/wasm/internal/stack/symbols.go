package stack

import (
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/exgate/exgate/internal/wasmfile"
)

// Frame is a function that was running.
type Frame struct {
	Function string // its name, or function and its index; quoted if it has unusual characters
	File     string // empty if unknown; quoted like Function
	Line     int    // 0 if unknown
}

func (f Frame) String() string {
	if f.File == "" {
		return f.Function
	}
	return f.Function + " (" + f.File + ":" + strconv.Itoa(f.Line) + ")"
}

// Trace is a stack, innermost function first.
type Trace []Frame

// String returns a line for each function. It has at most 5 KB, and no characters that move a terminal's cursor.
func (t Trace) String() string {
	lines := make([]string, len(t))
	for i, f := range t {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

const (
	maxFrames = 16
	maxName   = 160 // bytes of a function's name or of a path
)

// Symbols has the names and the lines of a module. It may be used by several goroutines.
type Symbols struct {
	module []byte
	lined  bool
	read   func() tables
}

type tables struct {
	names names
	lines lines
}

// New returns the symbols of a module, which are read when they are needed first.
func New(module []byte) *Symbols {
	s := &Symbols{module: module}
	for name := range wasmfile.CustomSections(module) {
		s.lined = s.lined || name == lineSection
	}
	s.read = sync.OnceValue(func() tables { return tables{readNames(module), readLines(module)} })
	return s
}

// Lined reports whether the module has a line table.
func (s *Symbols) Lined() bool { return s.lined }

// Frames returns the stack in the text of an error of wazero. original maps offsets in the metered code section to
// those in the module's.
func (s *Symbols) Frames(text string, original func(uint32) uint32) (trace Trace) {
	found := calls(text)
	if len(found) == 0 {
		return nil
	}
	symbols := s.read()
	for _, c := range found {
		if len(trace) == maxFrames {
			break
		}
		if c.index < 0 {
			trace = append(trace, Frame{Function: plain(c.name)})
			continue
		}
		name, ok := symbols.names.of(c.index)
		if !ok {
			continue
		}
		f := Frame{Function: name}
		if c.offset > 0 {
			f.File, f.Line = symbols.lines.at(original(c.offset))
		}
		trace = append(trace, f)
	}
	return trace
}

// plain returns text with at most maxName bytes, quoted if it contains anything but printable ASCII.
func plain(text string) string {
	cut := ""
	if len(text) > maxName {
		text, cut = text[:maxName], "..."
	}
	for i := range len(text) {
		if b := text[i]; b < ' ' || b >= utf8.RuneSelf-1 || b == '"' || b == '\\' {
			quoted := strconv.QuoteToASCII(text)
			return quoted[:min(len(quoted), 2*maxName)] + cut
		}
	}
	return text + cut
}
