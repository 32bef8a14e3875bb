package gateway

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/exgate/exgate/internal/topic"
)

// mountpoint checks the client and resolves the mountpoint's placeholders. The listener's mountpoint wins; the
// handler's applies if the listener has none, as handlers written before EMQX 5.1 expect.
func mountpoint(configured string, device Device) (string, Result) {
	if r := checkIdentity(device.ClientInfo); !r.Ok() {
		return "", r
	}
	mount, setting := configured, "listeners."+device.Listener+".mountpoint"
	if mount == "" {
		mount, setting = device.Mountpoint, "the handler's mountpoint"
	}
	filled, err := device.FillTopic(mount)
	if err == nil {
		err = topic.CheckMount(filled)
	}
	if err == nil && configured == "" && strings.HasPrefix(filled, "$") {
		// it may contain names that the device chose
		err = fmt.Errorf("%.100q begins with '$', which is reserved for the broker's own topics", filled)
	}
	if err != nil {
		return "", Refuse(CodeParamsTypeError, "%s: %v", setting, err)
	}
	return filled, OK
}

// checkIdentity checks a device's client id and username. Both are sent in CONNECT, and may be part of topics.
func checkIdentity(client ClientInfo) Result {
	err := errors.Join(topic.CheckString("clientid", client.ClientID), topic.CheckString("username", client.Username))
	switch {
	case err == nil:
		return OK
	case errors.Is(err, topic.ErrNoncharacter):
		return refusal(err)
	}
	return Refuse(CodeParamsTypeError,
		"clientid and username must be UTF-8 without control characters, at most %d bytes", topic.MaxString)
}

// checkPublish checks the arguments of Publish.
func checkPublish(name string, qos uint32) Result {
	if r := checkQoS(qos); !r.Ok() {
		return r
	}
	return refusal(topic.CheckName(name))
}

// checkSubscribe checks the arguments of Subscribe.
func checkSubscribe(filter string, qos uint32) Result {
	if r := checkQoS(qos); !r.Ok() {
		return r
	}
	return checkFilter(filter)
}

func checkFilter(filter string) Result { return refusal(topic.CheckFilter(filter)) }

// checkMounted checks a topic name or filter with its mountpoint.
func checkMounted(mounted string, isName bool) Result {
	if isName {
		return refusal(topic.CheckName(mounted))
	}
	return refusal(topic.CheckFilter(mounted))
}

func checkQoS(qos uint32) Result {
	if qos > 2 {
		return Refuse(CodeParamsTypeError, "qos must be 0, 1 or 2, not %d", qos)
	}
	return OK
}

// refusal turns an error of package topic into a Result.
func refusal(err error) Result {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, topic.ErrEmpty):
		return Refuse(CodeRequiredParamsMiss, "topic is required")
	}
	return Refuse(CodeParamsTypeError, "%v", err)
}

// TopicPattern is a topic filter with placeholders, which says what a device may publish or subscribe to.
type TopicPattern struct {
	text   string
	levels []string
}

// ParseTopicPattern reads a filter such as meters/${clientid}/#. It may contain ${clientid}, ${username}, ${listener}
// and ${module}, and must not be a shared subscription.
func ParseTopicPattern(text string) (TopicPattern, error) {
	if unknown := UnknownPlaceholder(text); unknown != "" {
		return TopicPattern{}, fmt.Errorf("%s is neither ${clientid}, ${username}, ${listener} nor ${module}", unknown)
	}
	if err := checkTemplate(text); err != nil {
		return TopicPattern{}, err
	}
	if _, shared := topic.Unshare(text); shared {
		return TopicPattern{}, fmt.Errorf("%q: name the filter without $share/GROUP/", text)
	}
	switch err := topic.CheckFilter(text); {
	case errors.Is(err, topic.ErrEmpty):
		return TopicPattern{}, fmt.Errorf("%q: topic is required", text)
	case err != nil:
		return TopicPattern{}, fmt.Errorf("%q: %w", text, errors.Unwrap(err))
	}
	return TopicPattern{text, strings.Split(text, "/")}, nil
}

func (p TopicPattern) String() string { return p.text }

// Covers reports whether the pattern matches every topic that name, a topic or a filter without $share, can match.
func (p TopicPattern) Covers(name string, device *Device) bool {
	if strings.HasPrefix(name, "$") && (p.levels[0] == "+" || p.levels[0] == "#") {
		return false
	}
	more := true
	for i, want := range p.levels {
		if want == "#" {
			return true
		}
		if !more {
			return false
		}
		var level string
		level, name, more = strings.Cut(name, "/")
		if !levelCovers(want, level, device, i == 0) {
			return false
		}
	}
	return !more
}

// levelCovers compares the value of a placeholder as plain text: a client called + gets no wildcard, and one called a/b
// matches nothing, nor does one called $share whose name begins the topic.
func levelCovers(want, level string, device *Device, first bool) bool {
	switch {
	case want == "+":
		return level != "#"
	case level == "+" || level == "#":
		return false
	case !strings.Contains(want, "${"):
		return want == level
	}
	filled, err := device.fillTopic(want, first)
	return err == nil && level == filled
}

// CoversAny is Covers for rules that deny: a value that adds levels or wildcards makes the pattern cover more instead
// of nothing.
func (p TopicPattern) CoversAny(name string, device *Device) bool {
	if p.Covers(name, device) {
		return true
	}
	plain := device.replace(p.text, func(string, string, bool) bool { return true })
	return plain != p.text && TopicPattern{plain, strings.Split(plain, "/")}.Covers(name, device)
}

// topicRules are a listener's rules for the topics of its devices.
type topicRules struct {
	mountpoint string // placeholders unresolved
	module     string
	publish    topicList
	subscribe  topicList
}

func newTopicRules(cfg ListenerConfig) (*topicRules, error) {
	r := &topicRules{mountpoint: cfg.Mountpoint, module: cfg.Module}
	err := CheckMountpoint(cfg.Mountpoint)
	if err != nil {
		return nil, fmt.Errorf("ListenerConfig.Mountpoint: %w", err)
	}
	if r.publish, err = parseTopicList("PublishTopics", cfg.PublishTopics); err != nil {
		return nil, err
	}
	if r.subscribe, err = parseTopicList("SubscribeTopics", cfg.SubscribeTopics); err != nil {
		return nil, err
	}
	return r, nil
}

// topicList holds the topics that devices may use. Nil allows all topics.
type topicList []TopicPattern

func parseTopicList(what string, texts []string) (topicList, error) {
	if texts == nil {
		return nil, nil
	}
	list := make(topicList, 0, len(texts))
	for _, text := range texts {
		p, err := ParseTopicPattern(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		list = append(list, p)
	}
	return list, nil
}

func (l topicList) allows(name string, device *Device) bool {
	if l == nil {
		return true
	}
	for i := range l {
		if l[i].Covers(name, device) {
			return true
		}
	}
	return false
}

// placeholders are the ${...} that a mountpoint, a [TopicPattern] or the topic of a status may contain.
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

// UnknownPlaceholder returns the first ${...} in text that is not in known, or "". If known is empty, the placeholders
// of a [Device] are known.
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

// Fill replaces the placeholders in text that is not a topic. If one of them has no value, ok is false and what names
// it.
func (d Device) Fill(text string) (filled, what string, ok bool) {
	filled = d.replace(text, func(name, value string, _ bool) bool {
		if value == "" {
			what = name
		}
		return value != ""
	})
	return filled, what, what == ""
}

// FillTopic replaces the placeholders in a topic, or in the first part of one. Names that a device chooses must not
// change how a broker reads the topic: the error names a placeholder whose value is empty, would add levels or
// wildcards, or would begin the topic with $.
func (d Device) FillTopic(text string) (string, error) { return d.fillTopic(text, true) }

// fillTopic is FillTopic for a part of a topic; first says whether the topic begins with it.
func (d Device) fillTopic(text string, first bool) (filled string, err error) {
	filled = d.replace(text, func(name, value string, start bool) bool {
		err = checkValue(name, value, first && start)
		return err == nil
	})
	return filled, err
}

// checkValue returns an error if a placeholder's value is not allowed in a topic. Brokers that translate topics read
// '*' and '>' as wildcards (RabbitMQ, NATS).
func checkValue(name, value string, first bool) error {
	switch {
	case value == "":
		return fmt.Errorf("%s has no value here", name)
	case strings.ContainsAny(value, "/+#"):
		return fmt.Errorf("%s must not contain '/', '+' or '#', but is %.100q", name, value)
	case value == "*" || value == ">":
		return fmt.Errorf("%s must not be %q, which some brokers read as a wildcard", name, value)
	case first && strings.HasPrefix(value, "$"):
		return fmt.Errorf("%s must not begin with '$', which is reserved for the broker's own topics, but is %.100q",
			name, value)
	}
	return topic.CheckString(name, value)
}

// replace replaces the placeholders in text by their values. It asks accept about each placeholder once, and returns ""
// if accept refuses one; start says whether text begins with it.
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

// checkTemplate refuses a topic whose first level begins with '$' and contains a placeholder: $${clientid} could become
// $share.
func checkTemplate(text string) error {
	if first, _, _ := strings.Cut(text, "/"); strings.HasPrefix(first, "$") && !strings.HasPrefix(first,
		"${") && strings.Contains(first, "${") {
		return fmt.Errorf("%.100q: a first level that begins with '$' must have no placeholder", text)
	}
	return nil
}

// CheckMountpoint returns an error if a configured mountpoint is invalid.
func CheckMountpoint(text string) error {
	if unknown := UnknownPlaceholder(text); unknown != "" {
		return fmt.Errorf("%s is neither ${clientid}, ${username}, ${listener} nor ${module}", unknown)
	}
	if err := checkTemplate(text); err != nil {
		return err
	}
	return topic.CheckMount(text)
}
