package hocon

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// folder is files by their names.
type folder map[string]string

func (f folder) read(name string) ([]byte, error) {
	text, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

// show writes a value in one line.
func show(v *Value) string {
	switch {
	case v == nil:
		return "nothing"
	case v.Kind == Scalar:
		return fmt.Sprintf("%q", v.Text)
	}
	var parts []string
	for _, item := range v.Items {
		parts = append(parts, show(item))
	}
	for _, key := range v.Keys {
		parts = append(parts, key+"="+show(v.Fields[key]))
	}
	if v.Kind == Array {
		return "[" + strings.Join(parts, " ") + "]"
	}
	return "{" + strings.Join(parts, " ") + "}"
}

func TestValues(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"comments", "# one\na = 1 // two\nb = \"# no // comment\" # three", `{a="1" b="# no // comment"}`},
		{"an object with = and :", "a { b = 1, c : x }\nd : { e = 2 }", `{a={b="1" c="x"} d={e="2"}}`},
		{"a document in braces, as JSON", "{\"a\": {\"b\": [1, true, null]}}\n", `{a={b=["1" "true" "null"]}}`},
		{"dotted keys", "a.b.c = 1\na.b.d = 2\na.\"x.y\".z = 3", `{a={b={c="1" d="2"} x.y={z="3"}}}`},
		{
			"objects are merged, other values replaced", "a { b = 1, c = 2 }\na { b = 3 }\nd = 1\nd = {e = 2}",
			`{a={b="3" c="2"} d={e="2"}}`,
		},
		{"a value on the next line", "a =\n  5", `{a="5"}`},
		{"arrays over lines", "a = [\n \"allow all\"\n 2, 3,\n]", `{a=["allow all" "2" "3"]}`},
		{"quotes within a value", `a = "q\"\\\n\u00e9\/"`, `{a="q\"\\\né/"}`},
		{"three quotes", "a = \"\"\"x \"y\" \\n\nz\"\"\"\nb=1", `{a="x \"y\" \\n\nz" b="1"}`},
		{"three quotes, indented", "a = \"\"\"~\n    one\n      two\n  ~\"\"\"", `{a="one\n  two\n"}`},
		{"adjacent texts", "a = one \"two\" 3", `{a="onetwo3"}`},
		{"adjacent objects", "a = {b = 1} {c = 2}", `{a={b="1" c="2"}}`},
		{
			"a substitution", "x = 9001\na { b = \"http://h:\"${x}, c = ${x} }",
			`{x="9001" a={b="http://h:9001" c="9001"}}`,
		},
		{"a substitution that need not be", "a = ${?nothing}\nb = x${?nothing}\nc = [${?nothing}]", `{b="x" c=[]}`},
		{
			"an object and a substitution", "base { b = 1, c = 2 }\na = ${base} { c = 3 }",
			`{base={b="1" c="2"} a={b="1" c="3"}}`,
		},
		{"a path through a substitution", "a = ${b}\nb { c = 1 }\nd = ${a.c}", `{a={c="1"} b={c="1"} d="1"}`},
		{"dollars in quotes", `a = "devices/${clientid}/"`, `{a="devices/${clientid}/"}`},
		{"include is a key too", "include = 1", `{include="1"}`},
		{"windows lines", "\ufeffa = 1\r\nb = 2\r\n", `{a="1" b="2"}`},
		{"nothing", "", `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc, err := Parse("f", folder{"f": c.text}.read)
			if err != nil {
				t.Fatal(err)
			}
			got, err := doc.Lookup()
			if err != nil || show(got) != c.want {
				t.Errorf("%s, %v; want %s", show(got), err, c.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a = 1\nb = {\n c = 2\n", "f:2: the { on this line is not closed"},
		{"a = [1,\n2", "f:1: the [ on this line is not closed"},
		{"g\")l", "f:1: a quoted string does not end on its line"},
		{"a = \"x\nb = 1", "f:1: a quoted string does not end on its line"},
		{"a = 0.0.0.0:9100", "f:1: a value that contains : or = must be in quotes"},
		{"\na b = 1", "f:2: a key with spaces must be in quotes"},
		{"a..b = 1", `f:1: a part of the key "a..b" is empty`},
		{"a\n", "f:1: a is not followed by = or {"},
		{"a = ,", "f:1: expected a value, found ,"},
		{"= 1", "f:1: expected a key, found ="},
		{"a = ${b", "f:1: a $ outside of quotes must begin a substitution such as ${a.b}"},
		{"a = ${?}", "f:1: a substitution is empty"},
		{"a = \"\"\"x", `f:1: a text in """ does not end`},
		{`a = "\q"`, `f:1: a text in quotes has an invalid escape: write \\ for a backslash`},
		{"{a = 1}\nb = 2", "f:2: there is text after the closing } of the file"},
		{"a = ${b}", "f:1: the substitution ${b} refers to an unknown key"},
		{"a = ${b}\nb = ${a}", "f:1: the substitution ${b} refers to itself"},
		{"a = ${b}x\nb = {}", "f:1: adjacent values have different types"},
		{"\ninclude required(\"no\")", "f:2: including no: file does not exist"},
		{"include required(x)", `f:1: include must be followed by "FILE", file("FILE") or required("FILE")`},
		{"include \"f\"", "f:1: f includes itself"},
		{"include \"broken\"", "broken:2: expected a value, found }"},
		{strings.Repeat("a = {", 100), "f:1: objects are more than 64 deep"},
	} {
		t.Run(c.text, func(t *testing.T) {
			doc, err := Parse("f", folder{"f": c.text, "broken": "\na = }"}.read)
			if err == nil {
				_, err = doc.Lookup()
			}
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || err.Error() != c.want {
				t.Errorf("%v; want %s", err, c.want)
			}
		})
	}
}

func TestIncludes(t *testing.T) {
	files := folder{
		"etc/emqx.conf": "include \"base.hocon\"\na.b = 2\ninner { include required(file(\"more/inner.conf\")) " +
			"}\ninclude \"absent.conf\"",
		"etc/base.hocon":      "a { b = 1, c = 1 }",
		"etc/more/inner.conf": "x = 1\ninclude \"last.conf\"",
		"etc/more/last.conf":  "y = 2",
	}
	doc, err := Parse("etc/emqx.conf", files.read)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(doc.Root), `{a={b="2" c="1"} inner={x="1" y="2"}}`; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	y, err := doc.Lookup("inner", "y")
	if err != nil || y.File != "etc/more/last.conf" || y.Line != 1 {
		t.Errorf("y is said at %s:%d, %v", y.File, y.Line, err)
	}
	if len(doc.Missing) != 1 || doc.Missing[0].Text != "etc/absent.conf" || doc.Missing[0].Line != 4 {
		t.Errorf("missing: %v", doc.Missing)
	}
}

// TestDoublingSubstitutions is a small file that would make 2^60 values.
func TestDoublingSubstitutions(t *testing.T) {
	text := "a0 = [x, x]\n"
	for i := range 60 {
		text += fmt.Sprintf("a%d = [${a%d}, ${a%d}]\n", i+1, i, i)
	}
	doc, err := Parse("f", folder{"f": text}.read)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Lookup("a60"); err == nil || !strings.Contains(err.Error(), "substitutions produce more than") {
		t.Errorf("error %v", err)
	}
}

// TestBounds has small files that would cost much, were there no bounds.
func TestBounds(t *testing.T) {
	var links strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&links, "a%d = ${a%d}\n", i, i+1)
	}
	files := folder{
		"links":    links.String() + "a20000 = 1\n",
		"words":    "a = " + strings.Repeat("x ", mostValues+1),
		"arrays":   "a = [" + strings.Repeat("[]\n", mostValues+1) + "]",
		"keys":     strings.Repeat("a = 1\n", mostValues+1),
		"includes": strings.Repeat("include \"empty\"\n", mostIncludes+1),
		"empty":    "",
	}
	for i := range 30 { // each includes the one before twice
		files[fmt.Sprintf("double%d", i+1)] = fmt.Sprintf("include \"double%d\"\ninclude \"double%d\"\n", i, i)
	}
	files["double0"] = ""
	for file, want := range map[string]string{
		"links":    "links:101: a chain of more than 100 substitutions",
		"words":    "words:1: the configuration has more than 200000 values",
		"arrays":   "arrays:200000: the configuration has more than 200000 values",
		"keys":     "keys:200001: the configuration has more than 200000 values",
		"includes": "includes:1001: more than 1000 files are included",
		"double30": "more than 1000 files are included",
	} {
		doc, err := Parse(file, files.read)
		if err == nil {
			_, err = doc.Lookup("a0")
		}
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v; want %s", file, err, want)
		}
	}
	quotes := strings.Repeat(`"`, 1<<20)
	doc, err := Parse("quotes", folder{"quotes": "a = \"\"\"x" + quotes}.read)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(doc.Root.Fields["a"].Text); got != len(quotes)-2 {
		t.Errorf("a text of %d bytes", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a.b = [1, \"x\" ${c}]\nc { d = \"\"\"~\n x~\"\"\" }", "include \"g\"")
	f.Add("include required(file(\"g\"))\nb = ${?a}", "{a: 1}")
	f.Add("a = {", "// \r\n\"k\" : ${x} {}")
	f.Fuzz(func(t *testing.T, text, included string) {
		doc, err := Parse("f", folder{"f": text, "g": included}.read)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Line < 1 {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		got, err := doc.Lookup()
		if err == nil && got.Kind != Object {
			t.Fatalf("the document is %s", show(got))
		}
	})
}
