package embedded

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/exgate/exgate/connectors/internal/topic"
)

// TestIndexMatchesAsTopicsDo adds and removes at random and compares with matching every filter by itself.
func TestIndexMatchesAsTopicsDo(t *testing.T) {
	level := rapid.SampledFrom([]string{"a", "b", "", "$x", "+", "#"})
	filters := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(level, 1, 4).Draw(t, "levels"), "/")
	}).Filter(func(f string) bool { return topic.CheckFilter(f) == nil })
	names := filters.Filter(func(f string) bool { return topic.CheckName(f) == nil })
	sessions := make([]*Session, 4)
	for i := range sessions {
		sessions[i] = &Session{}
	}
	rapid.Check(t, func(t *rapid.T) {
		var x index
		model := map[*Session]map[string]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				s, f := rapid.SampledFrom(sessions).Draw(t, "session"), filters.Draw(t, "filter")
				if model[s] == nil {
					model[s] = map[string]bool{}
				}
				model[s][f] = true
				x.add(f, s)
			},
			"remove": func(t *rapid.T) {
				s, f := rapid.SampledFrom(sessions).Draw(t, "session"), filters.Draw(t, "filter")
				delete(model[s], f)
				x.remove(f, s)
			},
			"match": func(t *rapid.T) {
				name := names.Draw(t, "name")
				got := map[*Session]int{}
				for _, s := range x.match(name, nil) {
					got[s]++
				}
				for _, s := range sessions {
					want := 0
					for f := range model[s] {
						if topic.Matches(f, name) {
							want++
						}
					}
					if got[s] != want {
						t.Fatalf("%q: %d matches, want %d of %v", name, got[s], want, model[s])
					}
				}
			},
		})
		for s, set := range model {
			for f := range set {
				x.remove(f, s)
			}
		}
		if len(x.exact) != 0 || len(x.wild.next) != 0 {
			t.Fatal("something is left after everything was removed")
		}
	})
}
