package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
)

var (
	yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	// docHead is what the examples without a head of their own stand in.
	docHead = "listeners:\n  example:\n    bind: ':1'\n    handler: {wasm: builtin:line}\n"
)

// TestExamplesOfTheDocuments loads each configuration that the documents show.
func TestExamplesOfTheDocuments(t *testing.T) {
	files, err := filepath.Glob("../../../../docs/l*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			t.Run(filepath.Base(file), func(t *testing.T) { loadExample(t, block[1]) })
		}
	}
}

func loadExample(t *testing.T, text string) {
	t.Helper()
	switch {
	case strings.HasPrefix(text, "    tls:"):
		text = docHead + "    type: tls\n" + text
	case strings.HasPrefix(text, "    "):
		text = docHead + text
	}
	inFolder(t, text)
	cert, key := certtest.SelfSigned(t)
	for name, data := range map[string][]byte{"server.pem": cert, "server.key": key, "devices-ca.pem": cert, "devices.psk": []byte("me:00\n")} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(Sources{File: "exgate.yaml"}); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}
