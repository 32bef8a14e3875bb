package hocon

import (
	"encoding/json"
	"errors"
	"strings"
)

var errEscape = errors.New(`a text in quotes has an invalid escape: write \\ for a backslash`)

// unescape replaces the escapes in a quoted text, which are those of JSON.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var plain string
	if json.Unmarshal([]byte(`"`+strings.ReplaceAll(s, "\t", `\t`)+`"`), &plain) != nil {
		return "", errEscape
	}
	return plain, nil
}

// unindent removes the common indentation of a text whose first line is ~, as EMQX does.
func unindent(s string) string {
	body, ok := strings.CutPrefix(strings.Replace(s, "~\r\n", "~\n", 1), "~\n")
	if !ok {
		return s
	}
	lines := strings.Split(body, "\n")
	last := len(lines) - 1
	lines[last] = strings.TrimSuffix(lines[last], "~")
	if strings.TrimSpace(lines[last]) == "" {
		lines[last] = ""
	}
	indent := indentation(lines)
	for i, line := range lines {
		lines[i] = line[min(indent, len(line)-len(strings.TrimLeft(line, " "))):]
	}
	return strings.Join(lines, "\n")
}

// indentation returns the smallest indentation of non-empty lines.
func indentation(lines []string) int {
	least := -1
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if n := len(line) - len(strings.TrimLeft(line, " ")); least < 0 || n < least {
			least = n
		}
	}
	return max(least, 0)
}
