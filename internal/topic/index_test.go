package topic

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestIndexMatchesAsTopicsDo adds and removes at random and compares with matching every filter by itself.
func TestIndexMatchesAsTopicsDo(t *testing.T) {
	level := rapid.SampledFrom([]string{"a", "b", "", "$x", "+", "#"})
	filters := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(level, 1, 4).Draw(t, "levels"), "/")
	}).Filter(func(f string) bool { return CheckFilter(f) == nil })
	names := filters.Filter(func(f string) bool { return CheckName(f) == nil })
	sessions := make([]*int, 4)
	for i := range sessions {
		sessions[i] = new(int)
	}
	rapid.Check(t, func(t *rapid.T) {
		var x Index[*int]
		model := map[*int]map[string]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				s, f := rapid.SampledFrom(sessions).Draw(t, "session"), filters.Draw(t, "filter")
				if model[s] == nil {
					model[s] = map[string]bool{}
				}
				model[s][f] = true
				x.Add(f, s)
			},
			"remove": func(t *rapid.T) {
				s, f := rapid.SampledFrom(sessions).Draw(t, "session"), filters.Draw(t, "filter")
				delete(model[s], f)
				x.Remove(f, s)
			},
			"match": func(t *rapid.T) {
				name := names.Draw(t, "name")
				got := map[*int]int{}
				for _, s := range x.Match(name, nil) {
					got[s]++
				}
				for _, s := range sessions {
					want := 0
					for f := range model[s] {
						if Matches(f, name) {
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
				x.Remove(f, s)
			}
		}
		if len(x.exact) != 0 || len(x.wild.next) != 0 {
			t.Fatal("something is left after everything was removed")
		}
	})
}
