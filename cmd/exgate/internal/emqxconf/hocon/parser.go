package hocon

import (
	"fmt"
	"slices"
	"strings"
)

// deepest bounds the nesting of objects, arrays and includes.
const deepest = 64

// parser reads one file of a document.
type parser struct {
	lex   lexer
	doc   *Document
	peek  *token
	depth int
	trail []string // the including files, outermost first
}

func (p *parser) next() (token, error) {
	if t := p.peek; t != nil {
		p.peek = nil
		return *t, nil
	}
	return p.lex.next()
}

func (p *parser) back(t token) { p.peek = &t }

func (p *parser) fail(line int, format string, args ...any) error {
	return &SyntaxError{File: p.lex.file, Line: line, What: fmt.Sprintf(format, args...)}
}

// root reads a file: fields, or one object that holds them.
func (p *parser) root(into *Value) error {
	t, err := p.skipLines()
	if err != nil {
		return err
	}
	if t.kind != '{' {
		p.back(t)
		return p.fields(into, tokenEnd)
	}
	if err := p.fields(into, '}'); err != nil {
		return err
	}
	if t, err = p.skipLines(); err == nil && t.kind != tokenEnd {
		err = p.fail(t.line, "there is text after the closing } of the file")
	}
	return err
}

// skipLines returns the next token that is not the end of a line.
func (p *parser) skipLines() (token, error) {
	for {
		if t, err := p.next(); err != nil || t.kind != '\n' {
			return t, err
		}
	}
}

// fields reads fields and includes up to the token end.
func (p *parser) fields(into *Value, end byte) error {
	for {
		t, err := p.skipLines()
		switch {
		case err != nil:
			return err
		case t.kind == end:
			return nil
		case t.kind == ',':
			continue
		case t.kind == tokenEnd:
			return p.fail(into.Line, "the { on this line is not closed")
		}
		if err := p.field(into, t); err != nil {
			return err
		}
	}
}

func (p *parser) field(into *Value, first token) error {
	if first.kind == tokenText && first.text == "include" {
		done, err := p.include(into, first.line)
		if done || err != nil {
			return err
		}
	}
	path, t, err := p.key(first)
	if err != nil {
		return err
	}
	switch t.kind {
	case '=':
		if t, err = p.skipLines(); err != nil {
			return err
		}
	case '{':
	default:
		return p.fail(first.line, "%s is not followed by = or {", strings.Join(path, "."))
	}
	p.back(t)
	value, err := p.value()
	if err != nil {
		return err
	}
	into.setPath(path, value)
	return nil
}

// key reads the path of a field whose first token is t, and the token after it. A part in quotes may hold dots.
func (p *parser) key(t token) (path []string, after token, err error) {
	line, part, open := t.line, "", false
	for ; err == nil && (t.kind == tokenText || t.kind == tokenQuoted); t, err = p.next() {
		if open && t.spaced {
			return nil, t, p.fail(line, "a key with spaces must be in quotes")
		}
		open = true
		if t.kind == tokenQuoted {
			part += t.text
			continue
		}
		parts := strings.Split(t.text, ".")
		parts[0] = part + parts[0]
		last := len(parts) - 1
		path, part = append(path, parts[:last]...), parts[last]
	}
	path = append(path, part)
	switch {
	case err != nil:
		return nil, t, err
	case !open:
		return nil, t, p.fail(line, "expected a key, found %s", describe(t))
	case slices.Contains(path, ""):
		return nil, t, p.fail(line, "a part of the key %q is empty", strings.Join(path, "."))
	case len(path) > deepest:
		return nil, t, p.fail(line, "a key has more than %d parts", deepest)
	}
	return path, t, nil
}
