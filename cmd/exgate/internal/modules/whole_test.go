package modules

import (
	"errors"
	"os"
	"testing"
)

const testdata = "../../../../runtime/wasm/testdata/"

func guest(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(testdata + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every beginning of a module is either incomplete or ends where a section does.
func TestBeginningsOfAModule(t *testing.T) {
	module := guest(t, "scenario")
	if err := Whole(module); err != nil {
		t.Fatal(err)
	}
	whole := 0
	for n := range module {
		var incomplete *IncompleteError
		switch err := Whole(module[:n]); {
		case err == nil:
			whole++
		case !errors.As(err, &incomplete) || incomplete.Bytes != n || incomplete.Want <= n ||
			incomplete.Want > len(module):
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if whole > 12 {
		t.Errorf("%d beginnings pass for whole", whole)
	}
}

func TestNoModule(t *testing.T) {
	for _, b := range []string{
		"#!/bin/sh\n", "\x00asm\x0d\x00\x01\x00",
		"\x00asm\x01\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	} {
		var incomplete *IncompleteError
		if err := Whole([]byte(b)); err == nil || errors.As(err, &incomplete) {
			t.Errorf("%q: %v", b, err)
		}
	}
}

func FuzzWhole(f *testing.F) {
	f.Add(guest(f, "echo"))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x00\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(_ *testing.T, b []byte) { _ = Whole(b) })
}
