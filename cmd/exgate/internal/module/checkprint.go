package module

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/exgate/exgate/hostabi/conformance"
	"github.com/exgate/exgate/hostabi/manifest"
)

// PrintJSON writes the result as JSON.
func PrintJSON(w io.Writer, x Examination) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(x)
}

// PrintText writes the result as text: a description, then one line per check.
func PrintText(w io.Writer, x Examination) error {
	var b strings.Builder
	fmt.Fprintf(&b, "file     %s, %d bytes\nsha256   %s\n", x.File, x.Bytes, x.SHA256)
	if m := x.Manifest; m != nil {
		fmt.Fprintf(&b, "manifest %s\n", summary(m))
	}
	if x.Exports != nil {
		x.writeFacts(&b)
	}
	b.WriteByte('\n')
	for _, c := range x.Checks {
		fmt.Fprintf(&b, "%s\n", strings.ReplaceAll(c.String(), "\n", "\n     "))
	}
	r := x.Report
	fmt.Fprintf(&b, "%d passed, %d warnings, %d failed\n", r.Count(conformance.Pass), r.Count(conformance.Warn),
		r.Count(conformance.Fail))
	_, err := io.WriteString(w, b.String())
	return err
}

func (x Examination) writeFacts(b *strings.Builder) {
	fmt.Fprintf(b, "exports  %s\n", words(x.Exports))
	fmt.Fprintf(b, "imports  %s\n", words(x.Imports))
	fmt.Fprintf(b, "wasi     %s\n", words(x.WASI))
	if len(x.Foreign) > 0 {
		fmt.Fprintf(b, "foreign  %s\n", words(x.Foreign))
	}
	fmt.Fprintf(b, "memory   %d KiB at the start, ", x.MemoryPages*64)
	if x.MaxPages != nil {
		fmt.Fprintf(b, "maximum %d KiB\n", uint64(*x.MaxPages)*64)
	} else {
		b.WriteString("no maximum\n")
	}
	if x.Starts != "" {
		fmt.Fprintf(b, "start    %s, %s\n", x.Starts, x.image())
	}
}

// summary is a manifest in a line. Its texts are printable, and the parts are bounded.
func summary(m *manifest.Manifest) string {
	parts := []string{m.Name + " " + m.Version}
	for _, text := range []string{m.License, m.Author} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	for _, t := range m.Transports {
		transport := t.Type
		if t.Port > 0 {
			transport += " " + strconv.Itoa(t.Port)
		}
		parts = append(parts, transport)
	}
	if m.Config != nil {
		parts = append(parts, "schema of its configuration")
	}
	return strings.Join(parts, ", ")
}

func (x Examination) image() string {
	if x.StartImage {
		return "instances start as a copy of the first one"
	}
	return "instances cannot start as a copy of the first one: " + x.NoImage
}

func words(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}
