package gateway

import (
	"errors"
	"fmt"
	"strings"

	"github.com/exgate/exgate/internal/topic"
)

// TopicPattern is a topic filter with placeholders, which says what a device may publish or subscribe to.
type TopicPattern struct {
	text   string
	levels []string
}

// ParseTopicPattern reads a filter such as meters/${clientid}/#. It may contain ${clientid}, ${username}, ${listener} and ${module}, and is no shared
// subscription.
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

// Covers reports whether everything that name stands for, a topic or a filter without $share, is inside the pattern.
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

// levelCovers compares what a placeholder stands for as plain text: a client called + gets no wildcard, one called a/b matches nothing, and neither does
// one called $share where the topic begins with its name.
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

// CoversAny is Covers for rules that deny: a value that adds levels or wildcards to the pattern makes it cover more, and not nothing.
func (p TopicPattern) CoversAny(name string, device *Device) bool {
	if p.Covers(name, device) {
		return true
	}
	plain := device.replace(p.text, func(string, string, bool) bool { return true })
	return plain != p.text && TopicPattern{plain, strings.Split(plain, "/")}.Covers(name, device)
}

// topicRules are a listener's, for the topics of its devices.
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

// topicList is what devices may do. Nil lets them do everything.
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
