package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/connectors/access"
)

var (
	yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	// docHead precedes examples that are only part of a listener.
	docHead = "listeners:\n  example:\n    bind: ':1'\n    handler: {wasm: builtin:line}\n"
)

// TestExamplesOfTheDocuments loads every configuration in the documents.
func TestExamplesOfTheDocuments(t *testing.T) {
	files, err := filepath.Glob("../../../../docs/[hlu]*.md")
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
	exampleFiles(t)
	if _, err := Load(Sources{File: "exgate.yaml"}); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// exampleFiles creates the files that the examples name.
func exampleFiles(t *testing.T) {
	t.Helper()
	cert, key := certtest.SelfSigned(t)
	files := map[string][]byte{"devices.psk": []byte("me:00\n")}
	for _, name := range []string{
		"server.pem", "devices-ca.pem", "adapter.pem", "handlers-ca.pem", "handler-ca.pem",
		"gateway.pem", "broker-ca.pem",
	} {
		files[name] = cert
	}
	for _, name := range []string{"server.key", "adapter.key", "gateway.key"} {
		files[name] = key
	}
	for _, name := range []string{"handler.token", "adapter.token", "peers.token", "upstream.password"} {
		files[name] = []byte("secret\n")
	}
	for name, data := range files {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSettingsOfTheUpstreamAreDocumented finds each of them in docs/upstream.md; those of an authenticator are in
// docs/access.md.
func TestSettingsOfTheUpstreamAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/upstream.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`[^`]*`").FindAllString(string(text), -1)
	documented := strings.Join(names, " ")
	for _, key := range schema.children["upstream"].every("") {
		section, rest, nested := strings.Cut(key, ".")
		if section == "embedded" || strings.Contains(rest, ".") {
			continue
		}
		if !strings.Contains(documented, section) || nested && !strings.Contains(documented, rest) {
			t.Errorf("docs/upstream.md does not have %s", key)
		}
	}
}

// examplesOf returns the YAML in a page of docs.
func examplesOf(t *testing.T, page string) (examples []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
		examples = append(examples, block[1])
	}
	if len(examples) < 3 {
		t.Fatalf("%d examples", len(examples))
	}
	return examples
}

// TestExamplesOfAccess loads what docs/access.md shows: configurations, and files of users.
func TestExamplesOfAccess(t *testing.T) {
	for _, block := range examplesOf(t, "access.md") {
		if strings.HasPrefix(block, "upstream:") {
			loadExample(t, block)
			continue
		}
		inFolder(t, block)
		if _, err := access.LoadFile("exgate.yaml"); err != nil {
			t.Errorf("%v\n%s", err, block)
		}
	}
}

// TestExamplesOfModules loads what docs/modules.md shows: configurations, and the settings of a module.
func TestExamplesOfModules(t *testing.T) {
	for _, block := range examplesOf(t, "modules.md") {
		inFolder(t, block)
		if err := errors.Join(os.Mkdir("modules", 0o700), os.WriteFile("modules/line.wasm", nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		var err error
		if strings.HasPrefix(block, "modules:") {
			_, err = Load(Sources{File: "exgate.yaml"})
		} else {
			_, err = LoadModule("exgate.yaml", "line")
		}
		if err != nil {
			t.Errorf("%v\n%s", err, block)
		}
	}
}

// TestSettingsOfModulesAreDocumented finds every setting of a module in the example; a listener's are in the default
// configuration.
func TestSettingsOfModulesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/modules.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range moduleSchema.every("") {
		words := strings.Split(key, ".")
		if words[0] != "listener" && words[0] != "limits" && !strings.Contains(string(text), words[len(words)-1]+":") {
			t.Errorf("docs/modules.md does not have %s", key)
		}
	}
}
