package meter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Check parses a whole module as strictly as [Rewrite], with the same errors, and returns it without custom sections,
// except well-formed function names if o.Names is set. Call it before a compiler sees a module: compilers trust
// counts, and 30 bytes may announce four billion locals. Beyond what Rewrite accepts, Check allows tail calls, extended
// constants, and functions of up to 8 MiB with 50,000 locals. A zero limit means the highest one allowed.
func Check(wasm []byte, o Options) ([]byte, error) {
	m, err := check(wasm, o)
	if err != nil {
		return nil, err
	}
	return m.appendChecked(), nil
}

// Outline is Check with function bodies that only trap: the result is cheap to compile, and declares everything that
// the module declares.
func Outline(wasm []byte, o Options) ([]byte, error) {
	m, err := check(wasm, o)
	if err != nil {
		return nil, err
	}
	for i := range m.checked {
		if s := &m.checked[i]; s.id == sectionCode {
			n := len(m.functions)
			s.data = append(binary.AppendUvarint(nil, uint64(n)),
				bytes.Repeat([]byte{3, 0, opUnreachable, opEnd}, n)...)
		}
	}
	return m.appendChecked(), nil
}

func check(wasm []byte, o Options) (*module, error) {
	if o.MemoryPages == 0 {
		o.MemoryPages = 1 << 16
	}
	if o.TableElements == 0 {
		o.TableElements = maxTableElements
	}
	m := &module{limits: o, bounds: checkedBounds, checking: true}
	return m, m.parse(wasm)
}

func (m *module) appendChecked() []byte {
	out := append([]byte(nil), header...)
	for _, s := range m.checked {
		out = appendSized(append(out, s.id), s.data)
	}
	return m.appendCustom(out)
}

// checkedSection is a section of the file.
type checkedSection struct {
	id   byte
	data []byte
}

// maxTableElements is the default limit for the elements of a table, which take 16 MiB.
const maxTableElements = 1 << 21

// howToBuild says what to do about a file that is not a core module.
const howToBuild = "build a core module: Rust --target wasm32-unknown-unknown or wasm32-wasip1, " +
	"Go GOOS=wasip1 -buildmode=c-shared, " +
	"TinyGo -target=wasip1, clang --target=wasm32, and no component adapter"

// kinds are the first bytes of other kinds of files.
var kinds = []struct{ begins, is string }{
	{"\x00asm\x0d\x00\x01\x00", "a WebAssembly component, not a core module; " + howToBuild},
	{"\x00asm\x0a\x00\x01\x00", "a WebAssembly component of a draft, not a core module; " + howToBuild},
	{"\x7fELF", "an ELF program or object for a processor, not WebAssembly; " + howToBuild},
	{"MZ", "a Windows program, not WebAssembly; " + howToBuild},
	{"\xcf\xfa\xed\xfe", "a macOS program or object, not WebAssembly; " + howToBuild},
	{"\xca\xfe\xba\xbe", "a macOS program or Java class, not WebAssembly; " + howToBuild},
	{"!<arch>\n", "an archive of objects (.a), not a module: link it"},
	{"BC\xc0\xde", "LLVM bitcode, not a module: link it"},
	{"\x1f\x8b", "compressed with gzip: unpack it first"},
	{"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first"},
	{"PK\x03\x04", "a ZIP archive: unpack it first"},
	{"\x00aso", "a compiled module of another runtime: give the .wasm file itself"},
	{"version https://git-lfs", "a pointer of Git LFS, not the file itself: run git lfs pull"},
}

// ErrNoModule is the error for a file of an unknown kind.
var ErrNoModule = errors.New("not a WebAssembly module: the file does not begin with \\0asm")

// Kind returns nil if wasm begins as a core module, and otherwise an error that says what the file is and what to do
// about it.
func Kind(wasm []byte) error {
	if bytes.HasPrefix(wasm, header) {
		return nil
	}
	if len(wasm) == 0 {
		return errors.New("not a WebAssembly module: the file is empty")
	}
	for _, k := range kinds {
		if bytes.HasPrefix(wasm, []byte(k.begins)) {
			return fmt.Errorf("not a WebAssembly core module: it is %s", k.is)
		}
	}
	switch {
	case len(wasm) < len(header) && bytes.HasPrefix(header, wasm):
		return fmt.Errorf("not a WebAssembly module: the file ends after %d bytes", len(wasm))
	case bytes.HasPrefix(wasm, header[:4]):
		return fmt.Errorf("not a WebAssembly module of version 1: the version is %#x",
			wasm[4:min(len(wasm), len(header))])
	case isText(wasm):
		return fmt.Errorf("%w; it is WebAssembly text: compile it, as with wat2wasm", ErrNoModule)
	}
	return ErrNoModule
}

// isText reports whether a file begins like WebAssembly text: comments, then (module or another form.
func isText(b []byte) bool {
	b = b[:min(len(b), 64<<10)]
	for {
		b = bytes.TrimLeft(b, " \t\r\n")
		if !bytes.HasPrefix(b, []byte(";;")) {
			break
		}
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	for _, form := range []string{"(module", "(component", "(func", "(;"} {
		if bytes.HasPrefix(b, []byte(form)) {
			return true
		}
	}
	return false
}
