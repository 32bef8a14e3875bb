package stack

import (
	"strconv"
	"strings"

	"github.com/exgate/exgate/internal/wasmfile"
)

const (
	maxNames     = 200_000 // functions
	maxNameBytes = 16 << 20
)

// names are the names of a module's functions by index.
type names struct {
	named     map[uint32]string
	functions uint32 // of the module; the engine may have added some after them
}

// readNames reads the name section and, for functions that it does not name, the exports.
func readNames(module []byte) names {
	n := names{named: map[uint32]string{}}
	for id, content := range wasmfile.Sections(module) {
		r := wasmfile.Reader{Data: content}
		switch id {
		case wasmfile.Import, wasmfile.Function: // only functions can be imported
			n.functions += r.Uint32()
		case wasmfile.Export:
			n.readExports(&r)
		}
	}
	for name, content := range wasmfile.CustomSections(module) {
		if name == "name" {
			n.readSection(&wasmfile.Reader{Data: content})
			break
		}
	}
	return n
}

func (n names) readExports(r *wasmfile.Reader) {
	for count := r.Uint32(); count > 0 && !r.Failed && len(n.named) < maxNames; count-- {
		name, kind, index := r.Name(), r.Byte(), r.Uint32()
		if kind == 0 && !r.Failed {
			n.named[index] = name
		}
	}
}

// functionNames is the id of the part of the name section that has the names of functions.
const functionNames = 1

func (n names) readSection(r *wasmfile.Reader) {
	for len(r.Data) > 0 {
		id := r.Byte()
		part := wasmfile.Reader{Data: r.Bytes(r.Uint32())}
		if id != functionNames {
			continue
		}
		left := maxNameBytes
		for count := part.Uint32(); count > 0 && !part.Failed && len(n.named) < maxNames && left > 0; count-- {
			index, name := part.Uint32(), part.Name()
			if left -= len(name); !part.Failed && name != "" {
				n.named[index] = name
			}
		}
	}
}

// of returns the name of a function, and false for a function that the engine has added.
func (n names) of(index int) (name string, ok bool) {
	if uint32(index) >= n.functions {
		return "", false
	}
	if name := n.named[uint32(index)]; name != "" {
		return plain(withoutHash(name)), true
	}
	return "function " + strconv.Itoa(index), true
}

// withoutHash removes the hash that Rust's compiler adds to names, as in meter::decode::h0123456789abcdef.
func withoutHash(name string) string {
	before, hash, ok := cutLast(name, "::h")
	if ok && len(hash) == 16 && strings.Trim(hash, "0123456789abcdef") == "" {
		return before
	}
	return name
}
