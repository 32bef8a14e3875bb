package gateway

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/exgate/exgate/internal/topic"
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

// Fill puts what the placeholders stand for into text that is no topic. ok is false, and what names the placeholder, where one stands for nothing.
func (d Device) Fill(text string) (filled, what string, ok bool) {
	filled = d.replace(text, func(name, value string, _ bool) bool {
		if value == "" {
			what = name
		}
		return value != ""
	})
	return filled, what, what == ""
}

// FillTopic puts what the placeholders stand for into a topic, or the first part of one. What a device calls itself must not change how a broker reads the
// topic: an error names the placeholder whose value would add levels or wildcards, or begin the topic with $.
func (d Device) FillTopic(text string) (string, error) { return d.fillTopic(text, true) }

// fillTopic is FillTopic for a part of a topic; first says whether it is where the topic begins.
func (d Device) fillTopic(text string, first bool) (filled string, err error) {
	filled = d.replace(text, func(name, value string, start bool) bool {
		err = checkValue(name, value, first && start)
		return err == nil
	})
	return filled, err
}

// checkValue says why a placeholder's value cannot stand in a topic. Brokers that translate topics read '*' and '>' as wildcards (RabbitMQ, NATS).
func checkValue(name, value string, first bool) error {
	switch {
	case value == "":
		return fmt.Errorf("%s stands for nothing here", name)
	case strings.ContainsAny(value, "/+#"):
		return fmt.Errorf("%s must not contain '/', '+' or '#', but is %.100q", name, value)
	case value == "*" || value == ">":
		return fmt.Errorf("%s must not be %q, which some brokers read as a wildcard", name, value)
	case first && strings.HasPrefix(value, "$"):
		return fmt.Errorf("%s must not begin with '$', as topics of a broker's own do, but is %.100q", name, value)
	}
	return topic.CheckString(name, value)
}

// replace puts the values of the placeholders into text, each once, until accept refuses one; start says that it is the first thing in text.
func (d Device) replace(text string, accept func(name, value string, start bool) bool) string {
	if !strings.Contains(text, "${") {
		return text
	}
	pairs := make([]string, 0, 2*len(placeholders))
	for _, p := range placeholders {
		if !strings.Contains(text, p.name) {
			continue
		}
		value := p.of(&d)
		if !accept(p.name, value, strings.HasPrefix(text, p.name)) {
			return ""
		}
		pairs = append(pairs, p.name, value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// checkTemplate refuses a topic with placeholders whose first level begins with '$' and is completed by a device: $${clientid} could become $share.
func checkTemplate(text string) error {
	if first, _, _ := strings.Cut(text, "/"); strings.HasPrefix(first, "$") && !strings.HasPrefix(first, "${") && strings.Contains(first, "${") {
		return fmt.Errorf("%.100q: a first level that begins with '$' must have no placeholder", text)
	}
	return nil
}

// CheckMountpoint says what is wrong with a configured mountpoint.
func CheckMountpoint(text string) error {
	if unknown := UnknownPlaceholder(text); unknown != "" {
		return fmt.Errorf("%s is neither ${clientid}, ${username}, ${listener} nor ${module}", unknown)
	}
	if err := checkTemplate(text); err != nil {
		return err
	}
	return topic.CheckMount(text)
}
