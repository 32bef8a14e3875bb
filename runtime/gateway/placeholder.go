package gateway

import (
	"regexp"
	"slices"
	"strings"
)

// placeholders are what ${...} may stand for in a mountpoint, a [TopicPattern] or the topic of a status.
var placeholders = [...]struct {
	name string
	of   func(*Device) string
}{
	{"${clientid}", func(d *Device) string { return d.ClientID }},
	{"${username}", func(d *Device) string { return d.Username }},
	{"${listener}", func(d *Device) string { return d.Listener }},
	{"${module}", func(d *Device) string { return d.Module }},
}

var anyPlaceholder = regexp.MustCompile(`\$\{[^}]*\}?`)

// UnknownPlaceholder returns the first ${...} in text that is none of known, or "". If known is empty, those of a [Device] are known.
func UnknownPlaceholder(text string, known ...string) string {
	if len(known) == 0 {
		for _, p := range placeholders {
			known = append(known, p.name)
		}
	}
	for _, found := range anyPlaceholder.FindAllString(text, -1) {
		if !slices.Contains(known, found) {
			return found
		}
	}
	return ""
}

// Fill puts what the placeholders stand for into text. ok is false, and what names the placeholder, where one stands for nothing or for something
// with '+' or '#', which would mean something else in a topic.
func (d Device) Fill(text string) (filled, what string, ok bool) {
	if !strings.Contains(text, "${") {
		return text, "", true
	}
	pairs := make([]string, 0, 2*len(placeholders))
	for _, p := range placeholders {
		if !strings.Contains(text, p.name) {
			continue
		}
		value := p.of(&d)
		if value == "" || strings.ContainsAny(value, "+#") {
			return "", p.name, false
		}
		pairs = append(pairs, p.name, value)
	}
	return strings.NewReplacer(pairs...).Replace(text), "", true
}
