package hocon

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// The bounds of a document with all includes. Files of EMQX have some hundred KiB.
const (
	largest      = 16 << 20 // bytes
	mostIncludes = 1000
	mostValues   = 200_000
)

// Document is a file with its includes.
type Document struct {
	Root    *Value
	Missing []*Value // missing optional includes: their names, and where they are included

	read     func(name string) ([]byte, error)
	size     int // bytes, including results of substitutions
	includes int
	values   int
	resolved int
}

// Parse reads a file and its includes with read, which bounds their size. The error is a [SyntaxError] or an error of
// read.
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
		return &SyntaxError{File: file, Line: 1, What: "the configuration with its includes is larger than 16 MiB"}
	}
	p := parser{lex: lexer{file: file, rest: string(text), line: 1}, doc: d, trail: append(trail, filepath.Clean(file))}
	return p.root(into)
}

// include parses the rest of an include and reads its file. It does nothing if include is a key.
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

// cause strips the file name, which the message already has, from an error.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
