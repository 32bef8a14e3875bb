package emqxconf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// Finding is a setting of EMQX that was not carried over unchanged.
type Finding struct {
	File string
	Line int
	Key  string // EMQX's name
	Why  string
	// Needless means that exgate does not need the setting. Every other finding needs a decision.
	Needless bool
}

func (f Finding) String() string {
	word := ""
	if f.Needless {
		word = "not needed: "
	}
	return printable(fmt.Sprintf("%s:%d: %s: %s%s", f.File, f.Line, f.Key, word, f.Why))
}

// printable removes line ends and control characters from a line, because quoted keys may contain anything.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, line)
}

// decide adds a finding that needs a decision.
func (im *importer) decide(at *hocon.Value, key, format string, args ...any) {
	im.find(Finding{File: at.File, Line: at.Line, Key: key, Why: fmt.Sprintf(format, args...)})
}

func (im *importer) needless(at *hocon.Value, key, why string) {
	im.find(Finding{File: at.File, Line: at.Line, Key: key, Why: why, Needless: true})
}

// find adds a finding once, however many listeners have it in common.
func (im *importer) find(f Finding) {
	if im.found[f] {
		return
	}
	if im.found == nil {
		im.found = make(map[Finding]bool)
	}
	im.found[f] = true
	im.findings = append(im.findings, f)
}

// sorted returns the findings file by file and line by line.
func sorted(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return findings
}
