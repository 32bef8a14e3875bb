package meter

import (
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
)

func checkError(module []byte) error {
	_, err := Check(module, Options{})
	return err
}

func TestKind(t *testing.T) {
	for want, file := range map[string]string{
		"the file is empty":                          "",
		"the file ends after 5 bytes":                "\x00asm\x01",
		"the version is 0x02000000":                  "\x00asm\x02\x00\x00\x00",
		"the version is 0x0d":                        "\x00asm\x0d",
		"does not begin with \\0asm":                 "hello",
		"it is WebAssembly text":                     "\n  ;; what it does\n;; and more\n(module (func))",
		"build a core module: Rust --target wasm32-": "\x00asm\x0d\x00\x01\x00\x07\x05",
		"ELF program or object for a processor, not WebAssembly; build a core module": "\x7fELF\x02\x01\x01",
		"compressed with gzip":                 "\x1f\x8b\x08\x00",
		"an archive of objects":                "!<arch>\n",
		"Git LFS":                              "version https://git-lfs.github.com/spec/v1\n",
		"a compiled module of another runtime": "\x00aso\x01",
	} {
		for what, err := range map[string]error{"Kind": Kind([]byte(file)), "Check": checkError([]byte(file))} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %q: %v; want %q", what, file, err, want)
			}
		}
	}
	if err := Kind(wasmtest.Guest().Bytes()); err != nil {
		t.Error(err)
	}
}

// Custom sections, which a compiler would read too, are removed except for function names.
func TestCheckLeavesCustomSectionsOut(t *testing.T) {
	module := wasmtest.Guest().Bytes()
	names := string(wasmtest.Section(nil, 0, []byte("\x04name\x01\x06\x01\x00\x03abc")))
	with := append(append([]byte(nil), module...), names+
		string(wasmtest.Section(nil, 0, []byte("\x0b.debug_info\xff\xff")))...)
	if got, err := Check(with, Options{Names: true}); err != nil || string(got) != string(module)+names {
		t.Errorf("%x, %v; want %x%x", got, err, module, names)
	}
	if got, err := Check(with, Options{}); err != nil || string(got) != string(module) {
		t.Errorf("%x, %v; want %x", got, err, module)
	}
}

func TestOutline(t *testing.T) {
	module := wasmtest.Module{Pages: 1, Funcs: []wasmtest.Func{
		{Export: "f", Code: []byte{0x0b}}, {
			Export: "g", Params: []byte{wasmtest.I32}, Code: []byte{0x20, 0, 0x1a, 0x0b},
		},
	}}.Bytes()
	want := wasmtest.Module{Pages: 1, Funcs: []wasmtest.Func{
		{Export: "f", Code: []byte{0, 0x0b}}, {Export: "g", Params: []byte{wasmtest.I32}, Code: []byte{0, 0x0b}},
	}}.Bytes()
	if got, err := Outline(module, Options{}); err != nil || string(got) != string(want) {
		t.Errorf("%x, %v; want %x", got, err, want)
	}
}

// Modules that announce more than they have, or more than anybody may have, each in few bytes.
func bombs() map[string][]byte {
	const many = "\xff\xff\xff\xff\x0f" // 4,294,967,295
	head := "\x00asm\x01\x00\x00\x00"
	section := func(id byte, content string) string { return string(wasmtest.Section(nil, id, []byte(content))) }
	one := section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00")
	body := func(b string) string { return section(10, "\x01"+string(wasmtest.Unsigned(uint64(len(b))))+b) }
	all := map[string]string{
		"types":            section(1, many),
		"parameters":       section(1, "\x01\x60"+many),
		"results":          section(1, "\x01\x60\x00"+many),
		"imports":          section(2, many),
		"a long name":      section(2, "\x01"+many),
		"functions":        section(1, "\x01\x60\x00\x00") + section(3, many),
		"tables":           section(4, many),
		"table elements":   section(4, "\x01\x70\x00"+many),
		"memories":         section(5, many),
		"memory pages":     section(5, "\x01\x00"+many),
		"globals":          section(6, many),
		"exports":          section(7, many),
		"element segments": section(9, many),
		"elements":         section(9, "\x01\x00\x41\x00\x0b"+many),
		"bodies":           one + section(10, many),
		"a body":           one + section(10, "\x01"+many),
		"groups of locals": one + body(many),
		"locals":           one + body("\x01"+many+"\x7f\x0b"),
		"locals in groups": one +
			body("\x03\xff\xff\xff\xff\x07\x7f\xff\xff\xff\xff\x07\x7f\xff\xff\xff\xff\x07\x7f\x0b"),
		"branch targets":  one + body("\x00\x0e"+many+"\x0b"),
		"types of select": one + body("\x00\x1c"+many+"\x0b"),
		"data segments":   section(11, many),
		"data":            section(5, "\x01\x00\x01") + section(11, "\x01\x00\x41\x00\x0b"+many),
		"a section":       "\x01" + many,
		"names":           "\x00\x0b\x04name\x01" + many,
	}
	bytes := make(map[string][]byte)
	for name, b := range all {
		bytes[name] = []byte(head + b)
	}
	return bytes
}

func TestCheckRefusesBombs(t *testing.T) {
	for name, bomb := range bombs() {
		err := checkError(bomb)
		if name == "names" {
			if err != nil { // what is in a custom section is nobody's trouble
				t.Error(err)
			}
			continue
		}
		if err == nil || strings.Contains(err.Error(), "panic") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Branches are bounded in a function, and the targets of branch tables also each and in the module: all of them are
// work for the compiler.
func TestBranchTargets(t *testing.T) {
	table := func(targets int) string { // with the default
		return "\x02\x40\x41\x00\x0e" + string(wasmtest.Unsigned(uint64(targets-1))) + strings.Repeat("\x00", targets) +
			"\x0b"
	}
	module := func(functions int, code string) []byte {
		code = "\x00" + code + "\x0b"
		code = string(wasmtest.Unsigned(uint64(len(code)))) + code
		count := string(wasmtest.Unsigned(uint64(functions)))
		b := wasmtest.Section([]byte("\x00asm\x01\x00\x00\x00"), 1, []byte("\x01\x60\x00\x00"))
		b = wasmtest.Section(b, 3, []byte(count+strings.Repeat("\x00", functions)))
		return wasmtest.Section(b, 10, []byte(count+strings.Repeat(code, functions)))
	}
	for name, test := range map[string]struct {
		functions int
		code      string
		want      string
	}{
		"a table":           {1, table(maxBranchTargets + 1), ""},
		"a larger table":    {1, table(maxBranchTargets + 2), "branch targets: at most"},
		"a function":        {1, strings.Repeat(table(1<<12-1), 1<<2), ""},
		"a larger function": {1, strings.Repeat(table(1<<12-1), 1<<2) + table(1), "branch targets in one function"},
		"branches":          {1, strings.Repeat("\x0c\x00", maxFunctionBranches), ""},
		"more branches": {
			1, strings.Repeat("\x0c\x00", maxFunctionBranches) + "\x41\x00\x0d\x00",
			"branches and branch targets in one function",
		},
		"returns": {
			1, strings.Repeat("\x0f", maxFunctionBranches+1), "branches and branch targets in one function",
		},
		"conditions": {
			1, strings.Repeat("\x41\x00\x04\x40\x05\x0b", maxFunctionBranches/2+1),
			"branches and branch targets in one function",
		},
		"functions":           {maxAllBranchTargets / 1000, table(1000), ""},
		"one function beyond": {maxAllBranchTargets/1000 + 1, table(1000), "branch targets in all functions"},
	} {
		bomb := module(test.functions, test.code)
		_, metered := Rewrite(bomb, options)
		for _, err := range []error{checkError(bomb), metered} {
			if test.want == "" && err != nil ||
				test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%s: %v, want %q", name, err, test.want)
			}
		}
	}
}

// What is beyond metering: tail calls and extended constants.
func TestCheckTakesMore(t *testing.T) {
	tail := one(0x20, 0, 0x12, 0, 0x0b)
	global := wasmtest.Module{Pages: 1, Globals: []byte{1, wasmtest.I32, 0, 0x41, 1, 0x41, 2, 0x6a, 0x0b}}.Bytes()
	for name, module := range map[string][]byte{"tail call": tail, "extended constant": global} {
		if _, err := Rewrite(module, options); err == nil {
			t.Errorf("%s is metered", name)
		}
		if err := checkError(module); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, guest := range guests(t) {
		if err := checkError(guest); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
