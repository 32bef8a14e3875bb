package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// maxRules limits the number of topics in all rules of one answer or token.
const maxRules = 1024

var errTooManyRules = fmt.Errorf("more than %d topics", maxRules)

// parseRules parses rules in the two formats that EMQX accepts from HTTP services and in JWTs: a list of {"permission":
// "allow", "action": "publish", "topic": "t/${clientid}/#"}, with "topics": [...] for several topics; or the format
// before EMQX 5.5, {"pub": [...], "sub": [...], "all": [...]}, where the levels %c and %u stand for client id and
// username. A rule with "retain": true or false is only about publishes that are to be retained, or only about the
// others. An unknown condition (EMQX: qos, clientid_re, eq) is an error: without it, the rule would mean something
// else.
func parseRules(text []byte) (*Rules, error) {
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '{' {
		return parseTopicLists(text)
	}
	var entries []map[string]json.RawMessage
	if len(text) == 0 || text[0] != '[' || json.Unmarshal(text, &entries) != nil {
		return nil, errors.New("want a list of rules, or pub, sub and all")
	}
	list := make([]rule, 0, len(entries))
	topics := 0
	for i, entry := range entries {
		r, err := parseRule(entry)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		if topics += len(r.topics); topics > maxRules {
			return nil, errTooManyRules
		}
		list = append(list, r)
	}
	return newRules(list), nil
}

func parseRule(entry map[string]json.RawMessage) (r rule, err error) {
	var permission, action string
	var topics []string
	var retain *bool
	for key, value := range entry {
		switch key {
		case "permission":
			permission, err = parseChoice(key, value, "allow", "deny")
		case "action":
			action, err = parseChoice(key, value, "publish", "subscribe", "all")
		case "topic":
			topics = append(topics, "")
			err = json.Unmarshal(value, &topics[len(topics)-1])
		case "topics":
			var more []string
			err = json.Unmarshal(value, &more)
			topics = append(topics, more...)
		case "retain":
			retain, err = parseRetain(value)
		default:
			return r, fmt.Errorf("unknown key %.40q: want permission, action, topic, topics, retain", key)
		}
		if err != nil {
			return r, fmt.Errorf("reading %s: %w", key, err)
		}
	}
	if permission == "" || action == "" || len(topics) == 0 {
		return r, errors.New("a rule needs permission, action and topic")
	}
	r.allow = permission == "allow"
	r.actions = actionsOf(action, retain)
	return r, r.addTopics(topics)
}

// actions has what a rule is about, by Action.
type actions [3]bool

// actionsOf returns the actions of publish, subscribe or all. If retain is not nil, publish means only publishes that
// are to be retained, or only those that are not.
func actionsOf(action string, retain *bool) actions {
	publish := action != "subscribe"
	return actions{
		Publish:         publish && (retain == nil || !*retain),
		PublishRetained: publish && (retain == nil || *retain),
		Subscribe:       action != "publish",
	}
}

// parseRetain parses the condition retain in EMQX's forms. It returns nil for all.
func parseRetain(value json.RawMessage) (*bool, error) {
	switch string(value) {
	case `"all"`:
		return nil, nil
	case "true", "1", `"true"`, `"1"`:
		return new(true), nil
	case "false", "0", `"false"`, `"0"`:
		return new(false), nil
	}
	return nil, errors.New("want true, false or all")
}

func parseChoice(key string, value json.RawMessage, choices ...string) (string, error) {
	var got string
	if json.Unmarshal(value, &got) != nil || !slices.Contains(choices, got) {
		return "", fmt.Errorf("%s must be one of %s", key, strings.Join(choices, ", "))
	}
	return got, nil
}

func (r *rule) addTopics(topics []string) error {
	for _, topic := range topics {
		if strings.HasPrefix(topic, "eq ") {
			return fmt.Errorf("topic %.100q: the prefix eq is not supported", topic)
		}
		p, err := gateway.ParseTopicPattern(topic)
		if err != nil {
			return fmt.Errorf("topic %w", err)
		}
		r.topics = append(r.topics, p)
	}
	return nil
}

func parseTopicLists(text []byte) (*Rules, error) {
	var lists map[string][]string
	if json.Unmarshal(text, &lists) != nil {
		return nil, errors.New("want pub, sub and all, each a list of topics")
	}
	var list []rule
	total := 0
	for key, topics := range lists {
		action, ok := map[string]string{"pub": "publish", "sub": "subscribe", "all": "all"}[key]
		if !ok {
			return nil, fmt.Errorf("unknown key %.40q: want pub, sub, all", key)
		}
		if total += len(topics); total > maxRules {
			return nil, errTooManyRules
		}
		r := rule{allow: true, actions: actionsOf(action, nil)}
		for i := range topics {
			topics[i] = oldPlaceholders(topics[i])
		}
		if err := r.addTopics(topics); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		list = append(list, r)
	}
	return newRules(list), nil
}

// oldPlaceholders replaces EMQX 4's %c and %u by the current placeholders.
func oldPlaceholders(topic string) string {
	levels := strings.Split(topic, "/")
	for i, level := range levels {
		switch level {
		case "%c":
			levels[i] = "${clientid}"
		case "%u":
			levels[i] = "${username}"
		}
	}
	return strings.Join(levels, "/")
}
