package script

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// guest is the module that runs scripts.
//
//go:embed script.wasm
var guest []byte

// Guest returns the guest without a script, which is what the modules of all scripts compile to.
func Guest() []byte { return guest }

// Ending is the ending of a script's file.
const Ending = ".js"

// MaxSource is the largest script, in bytes.
const MaxSource = 1 << 20

// maxName is the longest file name in errors, in bytes.
const maxName = 255

// section is the name of the custom section with the script.
const section = "exgate.script"

// Script is a handler written in JavaScript.
type Script struct {
	// Name is the file's name, without folders. Errors of the script begin with it. It is required.
	Name string

	// Source is the text of the script, in UTF-8. It is required.
	Source []byte

	// Framing divides a stream into frames, in the notation of hostabi/conformance/framing.md, or is "lines". If zero,
	// the script's variable framing is used.
	Framing string
}

// The fields of the custom section, and of the configuration that the guest gets.
const (
	fieldName        = 1
	fieldSource      = 2
	fieldConfig      = 3
	fieldFraming     = 4
	fieldFuel        = 5
	fieldFuelPerByte = 6
	fieldStartFuel   = 7
)

// Module returns a module that runs the script.
func (s Script) Module() ([]byte, error) {
	switch {
	case s.Name == "" || len(s.Name) > maxName:
		return nil, fmt.Errorf("the script's file name has %d bytes: use 1 to %d", len(s.Name), maxName)
	case len(s.Source) > MaxSource:
		return nil, fmt.Errorf("the script has %d bytes: use at most %d", len(s.Source), MaxSource)
	}
	if err := checkText(s.Source); err != nil {
		return nil, fmt.Errorf("%s:%w", s.Name, err)
	}
	var content []byte
	content = appendField(content, fieldName, s.Name)
	content = appendField(content, fieldSource, s.Source)
	content = appendField(content, fieldFraming, s.Framing)
	body := binary.AppendUvarint(nil, uint64(len(section)))
	body = append(append(body, section...), content...)
	module := append(bytes.Clone(guest), 0) // the id of custom sections
	return append(binary.AppendUvarint(module, uint64(len(body))), body...), nil
}

// checkText reports the first line that is not text.
func checkText(source []byte) error {
	line := 1
	for text := range bytes.Lines(source) {
		if !utf8.Valid(text) {
			return fmt.Errorf("%d: not UTF-8", line)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return fmt.Errorf("%d: contains a zero byte", line)
		}
		line++
	}
	return nil
}

// Of returns the script that a module runs. It reports false for a module that [Script.Module] has not made.
func Of(module []byte) (Script, bool) {
	rest, ok := bytes.CutPrefix(module, guest)
	if !ok || len(rest) == 0 || rest[0] != 0 {
		return Script{}, false
	}
	body, rest, ok := counted(rest[1:])
	name, content, named := counted(body)
	if !ok || !named || len(rest) > 0 || string(name) != section {
		return Script{}, false
	}
	var s Script
	for len(content) > 0 {
		field := content[0] >> 3
		var value []byte
		if value, content, ok = counted(content[1:]); !ok {
			return Script{}, false
		}
		switch field {
		case fieldName:
			s.Name = string(value)
		case fieldSource:
			s.Source = value
		case fieldFraming:
			s.Framing = string(value)
		}
	}
	return s, true
}

// KeepsState reports whether the script may save the state of its devices. The guest of all scripts can.
func (s Script) KeepsState() bool { return bytes.Contains(s.Source, []byte("saveState")) }

// Budget is what the script may spend; see the limits of the same names.
type Budget struct{ Fuel, FuelPerByte, StartFuel uint32 }

// ofBudget is the part of the fuel after which the guest stops the script. The rest is for what it does then, and for
// what the script does between two looks at the fuel.
func ofBudget(fuel uint32) uint64 { return uint64(fuel) / 8 * 7 }

// Config returns what the guest of the script gets as its configuration; config is the operator's. The guest stops a
// script that works too long, and says in which line, shortly before its fuel is used up.
func (s Script) Config(config []byte, budget Budget) []byte {
	b := appendField(nil, fieldName, s.Name)
	b = appendField(b, fieldSource, s.Source)
	b = appendField(b, fieldConfig, config)
	b = appendField(b, fieldFraming, s.Framing)
	b = appendNumber(b, fieldFuel, ofBudget(budget.Fuel))
	b = appendNumber(b, fieldFuelPerByte, ofBudget(budget.FuelPerByte))
	return appendNumber(b, fieldStartFuel, ofBudget(budget.StartFuel))
}

func appendNumber(b []byte, field byte, n uint64) []byte {
	return binary.AppendUvarint(append(b, field<<3), n)
}

// appendField appends a length-delimited field of protobuf.
func appendField[T string | []byte](b []byte, field byte, v T) []byte {
	if len(v) == 0 {
		return b
	}
	return append(binary.AppendUvarint(append(b, field<<3|2), uint64(len(v))), v...)
}

// counted splits b after the bytes whose number it begins with.
func counted(b []byte) (head, rest []byte, ok bool) {
	n, width := binary.Uvarint(b)
	if width <= 0 || n > uint64(len(b)-width) {
		return nil, nil, false
	}
	return b[width:][:n], b[width:][n:], true
}
