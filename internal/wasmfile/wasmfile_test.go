package wasmfile

import (
	"bytes"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
)

func custom(module []byte, name string) (all []string) {
	for n, content := range CustomSections(module) {
		if n == name {
			all = append(all, string(content))
		}
	}
	return all
}

func TestSetCustom(t *testing.T) {
	module := wasmtest.Guest().Bytes()
	twice := wasmtest.Section(wasmtest.Section(module, Custom, []byte("\x01xone")), Custom, []byte("\x01xtwo"))
	other := wasmtest.Section(twice, Custom, []byte("\x01yother"))
	set, err := SetCustom(other, "x", []byte("three"))
	if err != nil {
		t.Fatal(err)
	}
	if got := custom(set, "x"); len(got) != 1 || got[0] != "three" || len(custom(set, "y")) != 1 {
		t.Errorf("%q, %q", got, custom(set, "y"))
	}
	if removed, err := SetCustom(twice, "x", nil); err != nil || !bytes.Equal(removed, module) {
		t.Errorf("%x, %v", removed, err)
	}
	cut := append(bytes.Clone(module), 0, 0xff, 0xff, 0xff, 0xff, 0xf)
	for _, broken := range [][]byte{nil, []byte("\x00asm"), cut} {
		if _, err := SetCustom(broken, "x", []byte("y")); err == nil {
			t.Errorf("%x is accepted", broken)
		}
	}
}

func FuzzSections(f *testing.F) {
	f.Add(wasmtest.Guest().Bytes())
	f.Fuzz(func(t *testing.T, module []byte) {
		total := 0
		for _, content := range Sections(module) {
			total += len(content)
		}
		for _, content := range CustomSections(module) {
			total -= len(content)
		}
		if total < 0 || total > len(module) {
			t.Errorf("%d bytes of sections in %d", total, len(module))
		}
		if set, err := SetCustom(module, "x", []byte("y")); err == nil && len(custom(set, "x")) != 1 {
			t.Errorf("%x", set)
		}
	})
}
