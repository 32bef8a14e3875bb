package adapter

import (
	"strings"
	"testing"
)

// FuzzTopicFilter compares with the literal definition, one level after the other.
func FuzzTopicFilter(f *testing.F) {
	for _, s := range [][2]string{
		{"a/#", "a"}, {"+/+", "/"}, {"#", "$SYS"}, {"$SYS/+", "$SYS/x"}, {"a//b", "a//b"}, {"+", ""},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, filter, topic string) {
		parsed, err := parseTopicFilter(filter)
		if err != nil {
			return
		}
		want := matchLiterally(filter, topic) && (topic == "" || topic[0] != '$' || filter[0] == '$')
		if got := parsed.matches(topic); got != want {
			t.Errorf("filter %q, topic %q: %v", filter, topic, got)
		}
	})
}

func matchLiterally(filter, topic string) bool {
	if filter == "#" {
		return true
	}
	wanted, filterRest, moreFilter := strings.Cut(filter, "/")
	level, topicRest, moreTopic := strings.Cut(topic, "/")
	switch {
	case wanted != "+" && wanted != level:
		return false
	case moreFilter && moreTopic:
		return matchLiterally(filterRest, topicRest)
	case moreFilter:
		return filterRest == "#"
	}
	return !moreTopic
}
