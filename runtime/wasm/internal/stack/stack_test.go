package stack

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmfile"
	"github.com/exgate/exgate/internal/wasmtest"
)

func same(offset uint32) uint32 { return offset }

func guest(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../testdata/" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// with returns the smallest guest with a custom section.
func with(t testing.TB, name string, content []byte) []byte {
	t.Helper()
	b, err := wasmfile.SetCustom(wasmtest.Guest().Bytes(), name, content)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTracesAreBounded(t *testing.T) {
	text := traceHeading + strings.Repeat(".$0()\n\t\t0x1: -:1\n\t", 1000)
	if got := New(wasmtest.Guest().Bytes()).Frames(text, same); len(got) != maxFrames {
		t.Errorf("%d frames", len(got))
	}
	for _, text := range []string{
		"", "wasm error: unreachable", traceHeading, traceHeading + "...", traceHeading + "\t0x1: ",
	} {
		if got := New(nil).Frames(text, same); got != nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A file of a few bytes that announces billions of entries costs nothing.
func TestAnnouncedEntries(t *testing.T) {
	many := []byte{0xff, 0xff, 0xff, 0xff, 0x0f}
	names := append(append([]byte{1}, byte(len(many))), many...)
	if got := readNames(with(t, "name", names)); len(got.named) > 10 {
		t.Errorf("%d names", len(got.named))
	}
	for label, head := range map[string][]byte{
		"folders without a format": append([]byte{1, 1, 1, 0, 1, 1, 0}, many...),
		"folders":                  append([]byte{1, 1, 1, 0, 1, 1, 1, 1, 8}, many...),
		"files":                    append([]byte{1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 8}, many...),
	} {
		unit := append([]byte{5, 0, 4, 0}, binary.LittleEndian.AppendUint32(nil, uint32(len(head)))...)
		unit = append(unit, head...)
		section := append(binary.LittleEndian.AppendUint32(nil, uint32(len(unit))), unit...)
		if got := readLines(with(t, lineSection, section)); len(got.rows) > 0 || len(got.files) > 10 {
			t.Errorf("%s: %d rows, %d files", label, len(got.rows), len(got.files))
		}
	}
}

// A line program that makes a row with each byte stops at the limit.
func TestRowsAreBounded(t *testing.T) {
	unit := append([]byte{4, 0, 8, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0}, make([]byte, 4*maxRows)...)
	for i := 14; i < len(unit); i++ {
		unit[i] = 1
	}
	section := append(binary.LittleEndian.AppendUint32(nil, uint32(len(unit))), unit...)
	if got := readLines(with(t, lineSection, section)); len(got.rows) > maxRows {
		t.Errorf("%d rows", len(got.rows))
	}
}

func FuzzLines(f *testing.F) {
	for _, name := range []string{"trace4", "trace5"} {
		for section, content := range wasmfile.CustomSections(guest(f, name)) {
			if section == lineSection {
				f.Add(content)
			}
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		l := readLines(with(t, lineSection, content))
		for _, r := range l.rows {
			l.at(r.address)
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add(guest(f, "trace"), traceHeading+".$3()\n\t\t0x12: -:1\n\texproto_v1.send(i64,i32,i32) i32\n\n",
		[]byte("panic: x\nmain.f()\n\tmain.go:1 +0x2\n"))
	f.Fuzz(func(t *testing.T, module []byte, text string, printed []byte) {
		for _, trace := range []Trace{New(module).Frames(text, same), OfGo(printed)} {
			if text := trace.String(); len(text) > maxFrames*(4*maxName+50) ||
				strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }) {
				t.Errorf("%q", text)
			}
		}
	})
}
