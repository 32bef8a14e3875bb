package dial

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a list of targets.
const (
	MaxTargets = 10_000
	MaxLine    = 4 << 10 // bytes of one target
	maxName    = 256     // bytes
	maxFile    = 16 << 20
)

// Target is a device to dial. It is comparable: two that are equal are the same target.
type Target struct {
	Name    string // unique in its list
	Network string // tcp, tls or udp
	Address string // host:port
	Config  string // for the handler; may be empty
}

// String returns the target as [ParseTarget] reads it.
func (t Target) String() string {
	text := t.Name + " "
	if t.Network != "tcp" {
		text += t.Network + "://"
	}
	text += t.Address
	if t.Config != "" {
		text += " " + t.Config
	}
	return text
}

// ParseTarget reads NAME address [config]: the address is host:port, after tls:// or udp:// if it is not TCP, and
// config is the rest of the line.
func ParseTarget(line string) (Target, error) {
	if !utf8.ValidString(line) {
		return Target{}, errors.New("it is not UTF-8")
	}
	name, rest := word(strings.TrimSpace(line))
	t := Target{Name: name, Network: "tcp"}
	if len(line) > MaxLine {
		return t, fmt.Errorf("it is longer than %d bytes", MaxLine)
	}
	if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) {
		return t, errors.New("it contains a control character")
	}
	t.Address, t.Config = word(rest)
	switch {
	case name == "":
		return t, errors.New("it is empty: write a name and an address, such as meter-1 192.0.2.7:502")
	case len(name) > maxName:
		return t, fmt.Errorf("its name is longer than %d bytes", maxName)
	case t.Address == "":
		return t, errors.New("it needs an address after the name, such as 192.0.2.7:502")
	}
	if network, of, ok := strings.Cut(t.Address, "://"); ok {
		t.Network, t.Address = network, of
	}
	switch t.Network {
	case "tcp", "tls", "udp":
	default:
		return t, fmt.Errorf("%q is not a network: use tcp, tls or udp", t.Network)
	}
	return t, checkAddress(t.Address)
}

// word cuts the first word off text.
func word(text string) (first, rest string) {
	if i := strings.IndexFunc(text, unicode.IsSpace); i >= 0 {
		return text[:i], strings.TrimSpace(text[i:])
	}
	return text, ""
}

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return fmt.Errorf("%q is not an address: write host:port, such as 192.0.2.7:502 or [2001:db8::7]:502", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q is not a port: use 1 to 65535", port)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if len(host) > 253 || strings.ContainsFunc(host, notInHost) {
		return fmt.Errorf("%q is neither an IP address nor a host name", host)
	}
	return nil
}

func notInHost(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '.' && r != '_'
}

// LineError says what is wrong with one target of a list.
type LineError struct {
	File string // empty for a list in the configuration
	Line int    // from 1
	Name string // of the target, if it could be read
	Err  error
}

func (e *LineError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("target %d: %v", e.Line, e.Err)
	}
	return fmt.Sprintf("%s, line %d: %v", e.File, e.Line, e.Err)
}
func (e *LineError) Unwrap() error { return e.Err }

// List is a list of targets, without the lines that are wrong.
type List struct {
	Targets []Target
	Wrong   []*LineError
}

// list collects targets with unique names.
type list struct {
	List
	file  string
	lines map[string]int // the line of each name
}

func (l *list) add(number int, text string) {
	t, err := ParseTarget(text)
	if err == nil {
		if first, ok := l.lines[t.Name]; ok {
			err = fmt.Errorf("the name %q is used twice, first on line %d", t.Name, first)
			if l.file == "" {
				err = fmt.Errorf("the name %q is used twice, first by target %d", t.Name, first)
			}
		} else if len(l.Targets) == MaxTargets {
			err = fmt.Errorf("there are more than %d targets", MaxTargets)
		}
	}
	if err != nil {
		if len(l.Wrong) < MaxTargets {
			l.Wrong = append(l.Wrong, &LineError{File: l.file, Line: number, Name: t.Name, Err: err})
		}
		return
	}
	l.lines[t.Name] = number
	l.Targets = append(l.Targets, t)
}

// Parse reads a list of targets, each as [ParseTarget] reads it.
func Parse(targets []string) List {
	l := list{lines: make(map[string]int)}
	for i, text := range targets {
		l.add(i+1, text)
	}
	return l.List
}

// parseFile reads a list with one target a line. Empty lines and lines that begin with # are skipped.
func parseFile(path string, content []byte) (List, error) {
	if len(bytes.TrimSpace(content)) == 0 { // what a full disk or an editor leaves must not close every connection
		return List{}, fmt.Errorf("list of targets %s is empty: write a comment, such as # none, if that is meant",
			path)
	}
	l := list{file: path, lines: make(map[string]int)}
	number := 0
	for line := range bytes.Lines(content) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		l.add(number, string(line))
	}
	return l.List, nil
}
