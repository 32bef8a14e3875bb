package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// syntaxError says why a file is not YAML. The line is 0 if it is not known.
type syntaxError struct {
	line int
	text string
}

// maxDiagnosed bounds the files, in bytes, that are searched for the wrong line, which means parsing them up to 20
// times.
const maxDiagnosed = 256 << 10

// yamlLine is how the errors of the YAML package begin.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// diagnose turns an error of the YAML package into a line and a text that says what to change.
//
// The package often names the line where the section around the error begins. The line at fault is the first one with
// which the document fails in the same way.
func diagnose(data []byte, err error) *syntaxError {
	text := err.Error()
	found := yamlLine.FindStringSubmatch(text)
	s := &syntaxError{text: text[len(found[0]):]}
	s.line, _ = strconv.Atoi(found[1])
	if len(data) > maxDiagnosed || bytes.HasPrefix(data, []byte{0xff, 0xfe}) ||
		bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return s
	}
	lines := strings.SplitAfter(string(data), "\n")
	s.line = 1 + firstFailing(len(lines), func(n int) bool { return failure(strings.Join(lines[:n], "")) == s.text })
	d := diagnosis{lines: lines, at: s.line - 1}
	if line, text := d.explain(s.text); text != "" {
		s.line, s.text = line+1, text
	}
	return s
}

// firstFailing returns the smallest n for which fails(n+1) holds, for a fails that stays true once it is.
func firstFailing(most int, fails func(int) bool) int {
	low, high := 0, most-1
	for low < high {
		if middle := (low + high) / 2; fails(middle + 1) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// failure returns the YAML package's error for a document without the line, or "" if there is none.
func failure(text string) string {
	_, err := parseYAML([]byte(text))
	if err == nil {
		return ""
	}
	said := err.Error()
	return said[len(yamlLine.FindString(said)):]
}

// diagnosis looks at the line of a document that YAML fails at.
type diagnosis struct {
	lines []string
	at    int
}

var (
	// noSpace matches a setting whose value begins right behind the colon.
	noSpace = regexp.MustCompile(`^(\s*(?:- )?)([a-zA-Z0-9_-]+):([^\s:].*)$`)
	// reserved matches a value that begins with a character which YAML has a meaning for.
	reserved = regexp.MustCompile("(?:^|[:,\\[{-] *)([%@`])")
	// opensSection matches a line whose setting has no value yet.
	opensSection = regexp.MustCompile(`:\s*(#.*)?$`)
	// aliased matches a value that YAML takes for an alias.
	aliased = regexp.MustCompile(`: *(\*\S*)`)
)

// explain returns the line, counted from 0, and the text for a person; no text where the YAML package's own has to do.
func (d diagnosis) explain(said string) (line int, text string) {
	here, before := d.line(d.at), d.previous()
	if strings.Contains(indentOf(here), "\t") && strings.Contains(said, "cannot start any token") {
		return d.at, "is indented with a tab: YAML allows spaces only"
	}
	if text := foreign(d.lines); text != "" {
		return d.firstLine(), text
	}
	for _, i := range []int{d.at, before} {
		if text := missingSpace(d.line(i)); text != "" {
			return i, text
		}
	}
	switch {
	case strings.HasPrefix(said, "mapping values are not allowed"):
		return d.unexpectedKey(before)
	case strings.HasPrefix(said, "could not find expected ':'"):
		return d.at, "has no colon after the name of the setting: write name: value"
	case strings.HasPrefix(said, "did not find expected key"),
		strings.HasPrefix(said, "did not find expected <document start>"),
		strings.HasPrefix(said, "did not find expected '-' indicator"):
		return d.badIndent(before)
	case strings.HasPrefix(said, "did not find expected ','"),
		strings.HasPrefix(said, "did not find expected node content"):
		return d.at, "the brackets that open here are not closed properly: a comma, ] or } is missing"
	case strings.HasPrefix(said, "found unexpected end of stream"):
		return d.at, "the quoted text that begins here does not end"
	case strings.HasPrefix(said, "found unknown escape"), strings.HasPrefix(said, "did not find expected hexdecimal"):
		return d.at, `a text in double quotes has an invalid escape: write \\ for a backslash, or use single quotes`
	case strings.HasPrefix(said, "exceeded max depth"):
		return d.at, "nests brackets thousands deep"
	case strings.HasPrefix(said, "found incompatible YAML"):
		return d.at, "requires another version of YAML: remove the line %YAML"
	case strings.HasPrefix(said, "unknown anchor"):
		if found := aliased.FindStringSubmatch(here); found != nil {
			return d.at, fmt.Sprintf("%s is a YAML alias, and no anchor above has that name: if it is text, "+
				"put it in quotes", quoted(found[1]))
		}
	case strings.Contains(said, "cannot start any token"):
		if found := reserved.FindStringSubmatch(here); found != nil {
			return d.at, fmt.Sprintf("text that begins with %s must be in quotes", found[1])
		}
	}
	return d.at, ""
}

// unexpectedKey explains a key where YAML does not allow one.
func (d diagnosis) unexpectedKey(before int) (line int, text string) {
	here, above := d.line(d.at), d.line(before)
	switch {
	case before < d.at && !strings.Contains(above, ":") && !strings.HasPrefix(strings.TrimSpace(above), "-"):
		return before, "has no colon after the name of the setting: write name: value"
	case before < d.at && len(indentOf(here)) > len(indentOf(above)) && !opensSection.MatchString(above):
		return d.at, fmt.Sprintf("is indented further than line %d, which has a value already: indent both the same",
			before+1)
	}
	return d.at, "has a second colon: a value that contains a colon and a space must be in quotes"
}

// badIndent explains a line whose indentation matches none of the lines above.
func (d diagnosis) badIndent(before int) (line int, text string) {
	here := indentOf(d.line(d.at))
	var levels []string
	for i := range d.at {
		text := d.line(i)
		if indent := strconv.Itoa(len(indentOf(text))); !blank(text) && !slices.Contains(levels, indent) {
			levels = append(levels, indent)
		}
	}
	if before == d.at || slices.Contains(levels, strconv.Itoa(len(here))) {
		return d.at, "has an extra bracket or quote, or text after a complete value"
	}
	return d.at, fmt.Sprintf("is %s, unlike every setting above it: those are indented by %s spaces",
		indented(len(here)), either(levels))
}

func indented(n int) string {
	switch n {
	case 0:
		return "not indented"
	case 1:
		return "indented by 1 space"
	}
	return fmt.Sprintf("indented by %d spaces", n)
}

func (d diagnosis) line(i int) string { return strings.TrimRight(d.lines[i], "\r\n") }

// previous returns the last line before the one at fault that is not blank, or the line at fault if there is none.
func (d diagnosis) previous() int {
	for i := d.at - 1; i >= 0; i-- {
		if !blank(d.line(i)) {
			return i
		}
	}
	return d.at
}

func (d diagnosis) firstLine() int {
	return max(0, slices.IndexFunc(d.lines, func(line string) bool { return !blank(line) }))
}

// blank reports whether a line is empty or a comment.
func blank(line string) bool {
	text := strings.TrimSpace(line)
	return text == "" || text[0] == '#'
}

func indentOf(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

// missingSpace says how to write a setting whose value follows its colon without a space. It returns "" for other
// lines.
func missingSpace(line string) string {
	found := noSpace.FindStringSubmatch(line)
	if found == nil || !known[found[2]] && !strings.HasPrefix(found[3], `"`) && !strings.HasPrefix(found[3], "'") {
		return ""
	}
	return spaceBehind(found[2], found[3])
}

// spaceBehind says how to write a setting without a space behind its colon.
func spaceBehind(name, value string) string {
	return fmt.Sprintf("has no space after the colon: write %s: %s", name, cut(strings.TrimSpace(value)))
}

// known holds every word that names a setting or a section.
var known = wordsOf(schema, moduleSchema)

func wordsOf(schemas ...*node) map[string]bool {
	words := make(map[string]bool)
	for _, n := range schemas {
		for _, key := range n.every("") {
			for word := range strings.SplitSeq(key, ".") {
				words[word] = true
			}
		}
	}
	return words
}

// cut returns text for a message, shortened if it is long.
func cut(text string) string {
	const longest = 60
	if len(text) > longest {
		text = text[:longest] + "..."
	}
	return plain(text)
}

// The first lines of files in other languages.
var (
	assignment = regexp.MustCompile(`^[A-Za-z0-9_."-]+\s*=`)
	table      = regexp.MustCompile(`^\[\[?[A-Za-z0-9_."-]+\]\]?\s*(#.*)?$`)
	hoconBlock = regexp.MustCompile(`^[a-z0-9_.]+\s*\{\s*$`)
)

// foreign names the language of a file that is not YAML, by its first line. It returns "" if the language is unknown.
func foreign(lines []string) string {
	i := slices.IndexFunc(lines, func(line string) bool { return !blank(line) })
	if i < 0 {
		return ""
	}
	first := strings.TrimSpace(lines[i])
	switch whole := strings.Join(lines, ""); {
	case strings.Contains(whole, "exproto") && (assignment.MatchString(first) || hoconBlock.MatchString(first)):
		return "is a configuration of EMQX: convert it with exgate config import"
	case strings.HasPrefix(first, prefix) && assignment.MatchString(first):
		return "contains environment variables: pass them in the environment, or write YAML such as log: {level: info}"
	case assignment.MatchString(first), table.MatchString(first):
		return "looks like TOML or an INI file: exgate's configuration is YAML, such as log: {level: info}"
	case strings.HasPrefix(first, "<"), strings.HasPrefix(first, "-----BEGIN"), strings.HasPrefix(first, "#!"):
		return "is not an exgate configuration, which is YAML: " + quoted(first)
	}
	return ""
}

// parseYAML returns the only document of a file. The error is io.EOF if there is none.
func parseYAML(data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return nil, err
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, errTwoDocuments
	case !isEnd(err):
		return nil, err
	}
	return document.Content[0], nil
}

var errTwoDocuments = errors.New("contains more than one document (---)")

// isEnd reports whether err means that there is nothing more to parse.
func isEnd(err error) bool { return errors.Is(err, io.EOF) }

// notText returns the first line in which data is not text that YAML allows, and why, or nil if there is no such line.
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
				return &syntaxError{line, "contains a NUL byte: is it a text file? If it is UTF-16, save it as UTF-8"}
			case r == utf8.RuneError && size == 1:
				return &syntaxError{
					line,
					fmt.Sprintf("the byte 0x%02x is not UTF-8: the file may be in Latin-1 or Windows-1252, "+
						"save it as UTF-8", text[i]),
				}
			case r < ' ' && r != '\t' && r != '\r', r == 0x7f:
				return &syntaxError{line, fmt.Sprintf("contains the control character 0x%02x: is it a text file?", r)}
			case r == '\u00a0' && len(bytes.TrimLeft(text[:i], " \t\u00a0")) == 0:
				return &syntaxError{line, "is indented with a no-break space: use plain spaces"}
			case r == '\u2028' || r == '\u2029' || r == '\u0085':
				return &syntaxError{line, fmt.Sprintf("contains the line separator U+%04X: remove it", r)}
			}
			i += size
		}
		rest = after
	}
	return nil
}
