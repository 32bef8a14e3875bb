package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const repository = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// expectThere requires each path to exist in the repository.
func expectThere(t *testing.T, where string, paths []string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join(repository, path)); err != nil {
			t.Errorf("%s names %s, which does not exist", where, path)
		}
	}
}

func TestPictureIsUpToDate(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(repository, "docs", "architecture.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, draw()) {
		t.Error("docs/architecture.svg is not what docs/diagram draws: run the task generate")
	}
}

// inCode matches the paths of files and folders that a text shows as code.
var inCode = regexp.MustCompile(
	"`((?:cmd|connectors|hostabi|internal|proto|runtime|wasm-examples|docs|\\.golangci\\.yml)(?:/[\\w./-]+)?)`")

func TestArchitectureNamesWhatExists(t *testing.T) {
	var paths []string
	for _, found := range inCode.FindAllStringSubmatch(read(t, "docs/architecture.md"), -1) {
		paths = append(paths, found[1])
	}
	if len(paths) < 30 {
		t.Fatalf("docs/architecture.md names %d files and folders", len(paths))
	}
	expectThere(t, "docs/architecture.md", paths)
}

func TestPictureNamesWhatExists(t *testing.T) {
	var paths []string
	for _, parts := range [][][2]string{listenerParts, gatewayParts, connectorParts, handlerParts} {
		for _, part := range parts {
			path := part[1]
			if !strings.Contains(path, "/") {
				path = "runtime/gateway/" + path
			}
			paths = append(paths, path)
		}
	}
	expectThere(t, "docs/architecture.svg", paths)
}

func TestTreeOfTheReadmeExists(t *testing.T) {
	_, section, found := strings.Cut(read(t, "README.md"), "\n## How it is made\n")
	if !found {
		t.Fatal("README.md has no tree")
	}
	var paths []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "## ") {
			break
		}
		if tree, ok := strings.CutPrefix(line, "    "); ok {
			path, _, _ := strings.Cut(tree, "  ")
			paths = append(paths, strings.TrimSpace(path))
		}
	}
	if len(paths) < 10 {
		t.Fatalf("the tree of README.md has %d entries", len(paths))
	}
	expectThere(t, "README.md", paths)
}
