package gateway

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const (
	root       = "../.."
	reasonPage = root + "/docs/close-reasons.md"
)

// declared holds the names in the code that the page of close reasons must explain.
type declared struct {
	reasons map[string]string // code by name
	dropped map[string]string // file by name
}

// constant matches constants that name why something is dropped or refused.
var constant = regexp.MustCompile(`^(drop|dropped|refuse)[A-Z]`)

func declarations(t *testing.T) declared {
	t.Helper()
	d := declared{map[string]string{}, map[string]string{}}
	for _, dir := range []string{"runtime", "connectors"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err == nil {
				ast.Inspect(file, func(n ast.Node) bool { d.add(path, n); return true })
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d declared) add(path string, n ast.Node) {
	switch n := n.(type) {
	case *ast.CompositeLit:
		if isCloseReason(n.Type) {
			d.addReason(n)
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			// Drops of shadows do not affect a connection, and datagrams are on the page of limits.
			if i < len(n.Values) && constant.MatchString(name.Name) && !strings.Contains(path,
				"/shadow/") && !strings.Contains(path, "/listener/") {
				if s := text(n.Values[i]); s != "" {
					d.dropped[s] = path
				}
			}
		}
	}
}

func (d declared) addReason(n *ast.CompositeLit) {
	var code, name string
	for _, e := range n.Elts {
		field, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch field.Key.(*ast.Ident).Name {
		case "Name":
			name = text(field.Value)
		case "Code":
			if v, ok := field.Value.(*ast.BasicLit); ok {
				code = v.Value
			}
		}
	}
	if name != "" {
		d.reasons[name] = code
	}
}

func isCloseReason(t ast.Expr) bool {
	if s, ok := t.(*ast.SelectorExpr); ok {
		return s.Sel.Name == "CloseReason"
	}
	i, ok := t.(*ast.Ident)
	return ok && i.Name == "CloseReason"
}

func text(e ast.Expr) string {
	v, ok := e.(*ast.BasicLit)
	if !ok || v.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(v.Value)
	return s
}

// Every reason to close a connection, and every name of what is dropped or refused, is on docs/close-reasons.md with
// its code.
func TestEveryReasonIsExplained(t *testing.T) {
	b, err := os.ReadFile(reasonPage)
	if err != nil {
		t.Fatal(err)
	}
	page, d := string(b), declarations(t)
	if len(d.reasons) < 30 || len(d.dropped) < 15 {
		t.Fatalf("only %d reasons and %d drops are found in the code", len(d.reasons), len(d.dropped))
	}
	for name, code := range d.reasons {
		if !strings.Contains(page, "\n| `"+name+"` | "+code+" | ") {
			t.Errorf("docs/close-reasons.md has no line for the reason %s (%s): say there what happened "+
				"and what to change", name, code)
		}
	}
	for name, path := range d.dropped {
		if !strings.Contains(page, "\n| `"+name+"` | ") {
			t.Errorf("docs/close-reasons.md has no line for %s of %s", name, strings.TrimPrefix(path, root+"/"))
		}
	}
	for code, name := range codeNames {
		if code != CodeSuccess && !strings.Contains(page, "\n| `"+name+"` | ") {
			t.Errorf("docs/close-reasons.md has no line for the result %s", name)
		}
	}
}

// The page lists no reason that the code does not have.
func TestPageHasNoOldReasons(t *testing.T) {
	b, err := os.ReadFile(reasonPage)
	if err != nil {
		t.Fatal(err)
	}
	d := declarations(t)
	for _, line := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\d+) \\|").FindAllStringSubmatch(string(b), -1) {
		if d.reasons[line[1]] != line[2] {
			t.Errorf("docs/close-reasons.md has %s with code %s, which is not in the code", line[1], line[2])
		}
	}
}
