package hostabi

import (
	"os"
	"testing"
)

// guest returns a guest of runtime/wasm/testdata.
func guest(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../runtime/wasm/testdata/" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}
