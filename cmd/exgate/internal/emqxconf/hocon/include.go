package hocon

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// The bounds of a document with all that it includes. Files of EMQX have some hundred KiB.
const (
	largest      = 16 << 20 // bytes
	mostIncludes = 1000
	mostValues   = 200_000
)

// Document is what a file and those it includes say.
type Document struct {
	Root    *Value
	Missing []*Value // the included files that are not there and need not be: their names, and where they are included

	read     func(name string) ([]byte, error)
	size     int // bytes, also of what substitutions made
	includes int
	values   int
	resolved int
}

// Parse reads a file and those it includes with read, which bounds what it reads. The error is a [SyntaxError], or what
// reading failed with.
func Parse(file string, read func(name string) ([]byte, error)) (*Document, error) {
	doc := &Document{Root: NewObject(file, 1), read: read}
	if err := doc.parse(doc.Root, file, nil); err != nil {
		return nil, err
	}
	return doc, nil
}

func (d *Document) parse(into *Value, file string, trail []string) error {
	text, err := d.read(file)
	if err != nil {
		return err
	}
	if d.size += len(text); d.size > largest {
		return &SyntaxError{File: file, Line: 1, What: "the configuration has more than 16 MiB with all " +
			"that it includes"}
	}
	p := parser{lex: lexer{file: file, rest: string(text), line: 1}, doc: d, trail: append(trail, filepath.Clean(file))}
	return p.root(into)
}

// include reads what comes after the word include, and the file that it names. Where include is a key it reads nothing.
func (p *parser) include(into *Value, line int) (done bool, err error) {
	t, err := p.next()
	if err != nil {
		return false, err
	}
	if t.kind != tokenQuoted && (t.kind != tokenText || !strings.Contains(t.text, "(")) {
		p.back(t)
		return false, nil
	}
	before := ""
	if t.kind == tokenText {
		before = t.text
		if t, err = p.next(); err != nil {
			return false, err
		}
	}
	closing := token{}
	if n := strings.Count(before, "("); n > 0 {
		if closing, err = p.next(); err != nil {
			return false, err
		}
	}
	wrapped := closing.text == strings.Repeat(")", len(closing.text)) && len(closing.text) == strings.Count(before, "(")
	if t.kind != tokenQuoted || !wrapped || !slices.Contains([]string{"", "file(", "required(", "required(file("},
		before) {
		return false, p.fail(line, `include must be followed by "FILE", file("FILE") or required("FILE")`)
	}
	return true, p.included(into, t.text, strings.HasPrefix(before, "required("), line)
}

func (p *parser) included(into *Value, name string, required bool, line int) error {
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(p.lex.file), name)
	}
	if slices.Contains(p.trail, filepath.Clean(name)) {
		return p.fail(line, "%s includes itself", name)
	}
	if len(p.trail) >= deepest {
		return p.fail(line, "files include each other more than %d deep", deepest)
	}
	if p.doc.includes++; p.doc.includes > mostIncludes {
		return p.fail(line, "more than %d files are included", mostIncludes)
	}
	err := p.doc.parse(into, name, slices.Clip(p.trail))
	if errors.Is(err, fs.ErrNotExist) && !required {
		p.doc.Missing = append(p.doc.Missing, &Value{Text: name, File: p.lex.file, Line: line})
		return nil
	}
	var syntax *SyntaxError
	if err != nil && !errors.As(err, &syntax) {
		return p.fail(line, "including %s: %v", name, cause(err))
	}
	return err
}

// cause is an error without the name of the file, which stands before it already.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
