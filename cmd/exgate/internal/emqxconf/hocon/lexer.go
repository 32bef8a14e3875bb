package hocon

import (
	"strings"
	"unicode/utf8"
)

type token struct {
	kind   byte // one of { } [ ] , = \n, or tokenText, tokenQuoted, tokenRef, tokenEnd
	text   string
	spaced bool // white space before it
	line   int
}

const (
	tokenText   = 'a'
	tokenQuoted = '"'
	tokenRef    = '$'
	tokenEnd    = 0
)

// lexer cuts a document into tokens.
type lexer struct {
	file string
	rest string
	line int
}

func (l *lexer) fail(what string) error { return &SyntaxError{File: l.file, Line: l.line, What: what} }

func (l *lexer) next() (token, error) {
	spaced := l.skip()
	t := token{spaced: spaced, line: l.line}
	if l.rest == "" {
		return t, nil
	}
	switch c := l.rest[0]; c {
	case '\n':
		l.line++
		fallthrough
	case '{', '}', '[', ']', ',', '=', ':':
		l.rest = l.rest[1:]
		t.kind = c
		if c == ':' {
			t.kind = '='
		}
		return t, nil
	case '"':
		t.kind = tokenQuoted
		return l.quoted(t)
	case '$':
		t.kind = tokenRef
		return l.reference(t)
	}
	t.kind = tokenText
	t.text = l.rest[:endOfText(l.rest)]
	l.rest = l.rest[len(t.text):]
	return t, nil
}

// skip skips white space and comments, but not the end of a line.
func (l *lexer) skip() (spaced bool) {
	for l.rest != "" {
		switch {
		case strings.HasPrefix(l.rest, "#"), strings.HasPrefix(l.rest, "//"):
			end := strings.IndexByte(l.rest, '\n')
			if end < 0 {
				end = len(l.rest)
			}
			l.rest = l.rest[end:]
		case strings.ContainsRune(" \t\r\v\f", rune(l.rest[0])):
			l.rest = l.rest[1:]
		case strings.HasPrefix(l.rest, "\u00a0"), strings.HasPrefix(l.rest, "\ufeff"):
			_, size := utf8.DecodeRuneInString(l.rest)
			l.rest = l.rest[size:]
		default:
			return spaced
		}
		spaced = true
	}
	return spaced
}

// endOfText returns where an unquoted text ends: before punctuation, white space or a comment.
func endOfText(s string) int {
	end := strings.IndexAny(s, "{}[],=:\"$# \t\r\n\v\f\u00a0")
	if end < 0 {
		end = len(s)
	}
	if comment := strings.Index(s[:end], "//"); comment > 0 {
		end = comment
	}
	return end
}

// reference reads ${path} or ${?path}.
func (l *lexer) reference(t token) (token, error) {
	end := strings.IndexAny(l.rest, "}\n")
	if !strings.HasPrefix(l.rest, "${") || end < 0 || l.rest[end] != '}' {
		return t, l.fail("a $ outside of quotes must begin a substitution such as ${a.b}")
	}
	t.text = strings.TrimSpace(l.rest[2:end])
	l.rest = l.rest[end+1:]
	if strings.Trim(t.text, "?") == "" {
		return t, l.fail("a substitution is empty")
	}
	return t, nil
}

const triple = `"""`

// quoted reads "text" or """text""".
func (l *lexer) quoted(t token) (token, error) {
	if strings.HasPrefix(l.rest, triple) {
		body, after, ok := strings.Cut(l.rest[len(triple):], triple)
		if !ok {
			return t, l.fail(`a text in """ does not end`)
		}
		quotes := len(after) - len(strings.TrimLeft(after, `"`)) // earlier quotes belong to the text
		body, after = body+after[:quotes], after[quotes:]
		l.line += strings.Count(body, "\n")
		l.rest = after
		t.text = unindent(body)
		return t, nil
	}
	end := closingQuote(l.rest)
	if end < 0 {
		return t, l.fail("a quoted string does not end on its line")
	}
	text, err := unescape(l.rest[1:end])
	if err != nil {
		return t, l.fail(err.Error())
	}
	l.rest = l.rest[end+1:]
	t.text = text
	return t, nil
}

// closingQuote returns where the text that begins at s[0] ends, or -1.
func closingQuote(s string) int {
	for i := 1; i < len(s) && s[i] != '\n'; i++ {
		switch s[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return -1
}
