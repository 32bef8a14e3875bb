package gateway

import (
	"regexp"
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

// UnknownPlaceholder returns the first ${...} in text that stands for nothing, or "".
func UnknownPlaceholder(text string) string {
	for _, found := range anyPlaceholder.FindAllString(text, -1) {
		known := false
		for _, p := range placeholders {
			known = known || p.name == found
		}
		if !known {
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
