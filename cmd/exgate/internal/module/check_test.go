package module

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi/conformance"
	"github.com/exgate/exgate/runtime/wasm"
)

func verdict(x Examination, name string) conformance.Check {
	for _, c := range x.Checks {
		if c.Name == name {
			return c
		}
	}
	return conformance.Check{}
}

// TestGuestsPassInTheEngine runs the SDKs' guests and those of released ABI versions in the gateway's own engine.
func TestGuestsPassInTheEngine(t *testing.T) {
	released, err := filepath.Glob(repository + "hostabi/conformance/testdata/exproto_v*/*.wasm")
	if err != nil || len(released) == 0 {
		t.Fatalf("no released guests: %v", err)
	}
	for _, path := range append(released, cProbe, goProbe, rustProbe, asProbe) {
		t.Run(strings.TrimPrefix(path, repository), func(t *testing.T) {
			limits := wasm.Limits{}
			if strings.Contains(path, "/go") || strings.Contains(path, "/assemblyscript") {
				limits = goLimits
			}
			x, err := Check(t.Context(), open(t, path, "", limits), CheckOptions{})
			if err != nil || !x.OK {
				t.Errorf("%v, %v", err, x.Checks)
			}
			if !x.StartImage || x.Starts == "" {
				t.Errorf("start image: %v %q, started in %q", x.StartImage, x.NoImage, x.Starts)
			}
		})
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.wasm")
	if err := os.WriteFile(text, []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ path, config, check, why string }{
		{text, "", "module", "reading the module"},
		{wrongGuest, "r", "start", "exproto_v1_init returned 3"},
		{wrongGuest, "e", "bytes_empty", "guest_trap"},
		{wrongGuest, "l", "calls_limit", "guest_host_calls"},
		{wrongGuest, "a", "actions_valid", "action 7"},
	}
	for _, c := range cases {
		x, err := Check(t.Context(), open(t, c.path, c.config, wasm.Limits{}),
			CheckOptions{Only: []string{c.check, "bytes_samples"}})
		if err != nil || x.OK {
			t.Errorf("%+v: %v, ok %v", c, err, x.OK)
		}
		if got := verdict(x, c.check); got.Verdict != conformance.Fail || !strings.Contains(got.Why, c.why) {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func TestACheckedModuleMayRefuseAnEmptyConfiguration(t *testing.T) {
	x, err := Check(t.Context(), open(t, cProbe, "x", wasm.Limits{}),
		CheckOptions{Samples: [][]byte{[]byte("config\n")}, Only: []string{"bytes_samples"}})
	if err != nil || verdict(x, "start_without_configuration").Verdict != conformance.Pass {
		t.Errorf("%v, %v", err, x.Checks)
	}
}

func TestCheckPrintsForPeopleAndPrograms(t *testing.T) {
	x, err := Check(t.Context(), open(t, cLine, "", wasm.Limits{}), CheckOptions{Only: []string{"timer"}})
	if err != nil {
		t.Fatal(err)
	}
	var text, program bytes.Buffer
	if err := PrintText(&text, x); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"sha256   " + x.SHA256, "\nwasi     none\n", "\npass module: ", " passed, "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &text)
		}
	}
	if err := PrintJSON(&program, x); err != nil {
		t.Fatal(err)
	}
	var back Examination
	if err := json.Unmarshal(program.Bytes(), &back); err != nil || back.SHA256 != x.SHA256 ||
		len(back.Checks) != len(x.Checks) {
		t.Errorf("%v: %s", err, &program)
	}
}
