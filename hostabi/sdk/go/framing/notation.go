package framing

import (
	"errors"
	"strconv"
	"strings"
)

var errNotation = errors.New("framing: not the notation of a framer: see hostabi/conformance/framing.md")

// Parse parses rules in the notation of hostabi/conformance/framing.md, such as "delimiter 0a 1024 line": for modules
// whose operator can choose the framing. [New] checks the values.
func Parse(notation string) (Rules, error) {
	words := strings.Split(notation, " ")
	p := &parser{words: words[1:]}
	var rules Rules
	switch words[0] {
	case "delimiter":
		rules = Delimiter{Bytes: p.bytes(), Max: p.number(), Strip: Strip(p.choice("keep", "strip", "line"))}
	case "length":
		rules = Length{
			Width: p.number(), LittleEndian: p.choice("big", "little") == 1, Offset: p.number(), Adjust: p.signed(),
			Max:   p.number(),
			Strip: Strip(p.choice("keep", "strip")),
		}
	case "fixed":
		rules = Fixed{Size: p.number()}
	case "escape":
		rules = p.escape()
	}
	if rules == nil || p.bad || len(p.words) > 0 {
		return nil, errNotation
	}
	return rules, nil
}

// parser parses words up to the first bad one.
type parser struct {
	words []string
	bad   bool
}

func (p *parser) word() string {
	if len(p.words) == 0 {
		p.bad = true
		return ""
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

func (p *parser) number() int {
	digits := p.word()
	n, err := strconv.ParseUint(digits, 10, 31)
	p.bad = p.bad || err != nil || len(digits) > 10
	return int(n)
}

func (p *parser) signed() int {
	if len(p.words) > 0 && strings.HasPrefix(p.words[0], "-") {
		p.words[0] = p.words[0][1:]
		return -p.number()
	}
	return p.number()
}

func (p *parser) bytes() []byte { return p.hex(p.word()) }

// hex parses lower-case digits. (Package encoding/hex would link package fmt into every module.)
func (p *parser) hex(digits string) []byte {
	b := make([]byte, len(digits)/2)
	for i := range b {
		c, err := strconv.ParseUint(digits[2*i:2*i+2], 16, 8)
		p.bad = p.bad || err != nil
		b[i] = byte(c)
	}
	p.bad = p.bad || len(b) == 0 || len(digits)%2 == 1 || strings.ToLower(digits) != digits
	return b
}

func (p *parser) byte() byte { return p.sized(p.word(), 1)[0] }

// sized parses digits that must be n bytes.
func (p *parser) sized(digits string, n int) []byte {
	b := p.hex(digits)
	if len(b) != n {
		p.bad = true
		return make([]byte, n)
	}
	return b
}

// choice is the number of the word among those that it may be.
func (p *parser) choice(words ...string) int {
	got := p.word()
	for i, w := range words {
		if w == got {
			return i
		}
	}
	p.bad = true
	return 0
}

func (p *parser) escape() Rules {
	var e Escape
	if e.NoStart = len(p.words) > 0 && p.words[0] == "-"; e.NoStart {
		p.word()
	} else {
		e.Start = p.byte()
	}
	e.End, e.Escape, e.Max = p.byte(), p.byte(), p.number()
	if p.choice("xor", "map") == 0 {
		e.XOR = p.byte()
		return e
	}
	for pair := range strings.SplitSeq(p.word(), ",") {
		b := p.sized(pair, 2)
		e.Map = append(e.Map, Code{b[0], b[1]})
	}
	return e
}
