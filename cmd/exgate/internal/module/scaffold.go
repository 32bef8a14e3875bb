package module

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/sdk/script"
)

//go:embed templates
var templates embed.FS

// language describes the files of a new module.
type language struct {
	name string

	// test is the command that tests the module natively. It is empty for scripts, which are not built.
	test string

	files map[string]string                      // templates and what they become; NAME is the name of the module
	what  []file                                 // descriptions for the README
	sdk   func(path string) (to string, ok bool) // nil if there is none to copy
}

type file struct{ Path, What string }

var languages = map[string]language{
	"assemblyscript": inAssemblyScript, "c": inC, "go": inGo, "js": inJavaScript, "rust": inRust,
}

// Languages returns the languages that [Init] supports.
func Languages() []string { return []string{"assemblyscript", "c", "go", "js", "rust"} }

var moduleName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// Errors of Init that a different command line avoids.
var (
	ErrLanguage = errors.New("unknown language")
	ErrName     = errors.New("invalid module name: use up to 32 of a-z, 0-9 and _, beginning with a letter")
	ErrFolder   = errors.New("the folder is not empty")
)

// Init creates the folder parent/name with a working module, its test and its SDK. It does not write into a folder that
// is not empty.
func Init(parent, name, lang string) (folder string, err error) {
	l, ok := languages[lang]
	if !ok {
		return "", fmt.Errorf("%w %q; the languages are %s", ErrLanguage, lang, strings.Join(Languages(), ", "))
	}
	if !moduleName.MatchString(name) {
		return "", fmt.Errorf("%w: %q", ErrName, name)
	}
	folder = filepath.Join(parent, name)
	if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
		return "", fmt.Errorf("%w: %s", ErrFolder, folder)
	}
	if err := l.write(folder, lang, name); err != nil {
		return "", fmt.Errorf("creating %s: %w", folder, err)
	}
	return folder, nil
}

func (l language) write(folder, lang, name string) error {
	page := page{Name: name, Language: l.name, Test: l.test, File: name + l.ending()}
	for _, f := range l.what {
		page.Files = append(page.Files, file{strings.ReplaceAll(f.Path, "NAME", name), f.What})
	}
	shared := []string{"README.md"}
	if l.test != "" {
		shared = append(shared, "exgate.json")
		page.Files = append(page.Files, file{"exgate.json", "its manifest"})
	}
	_, page.Settings = l.files["NAME.yaml"]
	for from, to := range l.files {
		if err := page.write(path.Join("templates", lang, from+".tmpl"),
			filepath.Join(folder, strings.ReplaceAll(to, "NAME", name))); err != nil {
			return err
		}
	}
	for _, name := range shared {
		if err := page.write("templates/"+name+".tmpl", filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	if l.sdk == nil {
		return nil
	}
	return l.copySDK(filepath.Join(folder, "sdk"))
}

// ending returns the ending of the file that goes into a modules folder.
func (l language) ending() string {
	if l.test == "" {
		return script.Ending
	}
	return ".wasm"
}

// FileOf returns the name of the file of a module in a language, and whether it has to be built first.
func FileOf(name, lang string) (file string, built bool) {
	l := languages[lang]
	return name + l.ending(), l.test != ""
}

// page is the data of the templates.
type page struct {
	Name, Language, Test string
	File                 string // NAME.wasm or NAME.js
	Settings             bool   // there is a NAME.yaml
	Files                []file
}

func (p page) write(from, to string) error {
	t, err := template.ParseFS(templates, from)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, p); err != nil {
		return err
	}
	return put(to, text.Bytes())
}

// put writes a file and creates its folders. Scripts are executable.
func put(to string, b []byte) error {
	//nolint:gosec // the user's own source code, as an editor would create it
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if strings.HasSuffix(to, ".sh") {
		mode = 0o755
	}
	return os.WriteFile(to, b, mode)
}

func (l language) copySDK(folder string) error {
	return fs.WalkDir(hostabi.SDK, ".", func(from string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(from, "_test.go") {
			return err
		}
		to, ok := l.sdk(from)
		if !ok {
			return nil
		}
		b, err := hostabi.SDK.ReadFile(from)
		if err != nil {
			return err
		}
		return put(filepath.Join(folder, filepath.FromSlash(to)), b)
	})
}

// below selects the files of the SDK below a folder, and removes the folder from their paths.
func below(folder string) func(string) (string, bool) {
	return func(path string) (string, bool) { return strings.CutPrefix(path, folder+"/") }
}

// goSources keeps the paths in the repository, because Go imports use them.
func goSources(from string) (string, bool) {
	inSDK := strings.HasPrefix(from, "sdk/go/")
	ofHost := slices.Contains([]string{"names.go", "messages.go", "properties.go", "wire.go"}, from)
	return path.Join("hostabi", from), inSDK || ofHost
}
