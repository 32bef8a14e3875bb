package hocon

import "strings"

// value reads a value: everything up to the end of the line, or the next field or element.
func (p *parser) value() (*Value, error) {
	if p.depth++; p.depth > deepest {
		return nil, p.fail(p.lex.line, "objects are more than %d deep", deepest)
	}
	defer func() { p.depth-- }()
	var parts []*Value
	for {
		t, err := p.next()
		if err != nil {
			return nil, err
		}
		part, err := p.part(t)
		switch {
		case err != nil:
			return nil, err
		case part != nil:
			parts = append(parts, part)
		case t.kind == '=':
			return nil, p.fail(t.line, "a value that contains : or = must be in quotes")
		case len(parts) == 0:
			return nil, p.fail(t.line, "expected a value, found %s", describe(t))
		default:
			p.back(t)
			return join(parts), nil
		}
	}
}

// part reads the value that begins with a token, or returns nil if none does.
func (p *parser) part(t token) (*Value, error) {
	switch t.kind {
	case tokenText, tokenQuoted, tokenRef, '{', '[':
	default:
		return nil, nil
	}
	if p.doc.values++; p.doc.values > mostValues {
		return nil, p.fail(t.line, "the configuration has more than %d values", mostValues)
	}
	v := &Value{File: p.lex.file, Line: t.line}
	switch t.kind {
	case tokenText, tokenQuoted:
		v.Text = t.text
		return v, nil
	case tokenRef:
		v.Kind = joined
		v.ref, v.optional = strings.CutPrefix(t.text, "?")
		if !v.optional {
			v.ref = t.text
		}
		return v, nil
	case '{':
		v = NewObject(p.lex.file, t.line)
		return v, p.fields(v, '}')
	default: // [
		v.Kind = Array
		return v, p.items(v)
	}
}

func (p *parser) items(into *Value) error {
	for {
		t, err := p.skipLines()
		switch {
		case err != nil:
			return err
		case t.kind == ']':
			return nil
		case t.kind == ',':
			continue
		case t.kind == tokenEnd:
			return p.fail(into.Line, "the [ on this line is not closed")
		}
		p.back(t)
		item, err := p.value()
		if err != nil {
			return err
		}
		into.Items = append(into.Items, item)
	}
}

func describe(t token) string {
	switch t.kind {
	case tokenEnd:
		return "the end of the file"
	case '\n':
		return "the end of the line"
	case tokenText, tokenQuoted:
		return "a text"
	case tokenRef:
		return "a substitution"
	}
	return string(rune(t.kind))
}
