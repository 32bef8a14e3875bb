package doctor

import (
	"encoding/json"
	"fmt"
	"io"
)

// PrintText writes one line per finding, and a line of totals.
func PrintText(w io.Writer, findings []Finding) error {
	counts := make(map[State]int)
	for _, f := range findings {
		counts[f.State]++
		where := ""
		if f.State != Well && f.Where != "" {
			where = f.Where + ": "
		}
		if _, err := fmt.Fprintf(w, "%-8s %s%s: %s\n", f.State, where, f.Setting, f.Text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d ok, %d warnings, %d problems\n", counts[Well], counts[Warning], counts[Problem])
	return err
}

// PrintJSON writes one object: {"findings": [...]}.
func PrintJSON(w io.Writer, findings []Finding) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(map[string]any{"findings": findings})
}
