package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// splitList reads the list that a variable or a flag says, with commas between its items.
func splitList(text string) []string {
	items := strings.Split(text, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
	}
	return items
}

// list takes the items of a list, and remembers the line of each.
func (w *walker) list(n *node, y *yaml.Node, key string) {
	at := w.at(y.Line)
	y = resolve(y)
	if n.single && y.Kind == yaml.ScalarNode && y.ShortTag() == "!!str" {
		w.say(key, at, splitList(y.Value))
		return
	}
	if y.Kind != yaml.SequenceNode {
		w.problems.add(at, key, "must be %s, not %s", n.wants(), describe(y))
		return
	}
	items := make([]string, len(y.Content))
	for i, item := range y.Content {
		if item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" {
			w.problem(item, key, "must hold texts, not %s", describe(item))
			return
		}
		items[i] = item.Value
		w.say(itemKey(key, i), w.at(item.Line), nil)
	}
	w.say(key, at, items)
}

// itemKey is the name under which origins hold where an item of a list stands.
func itemKey(key string, i int) string { return fmt.Sprintf("%s.%d", key, i) }

// ofItem returns where item i of the list key was said: in a file its own line, elsewhere where the list was.
func (o origins) ofItem(key string, i int) origin {
	list := o.of(key)
	if item, ok := o[itemKey(key, i)]; ok && list.order < orderEnvironment {
		return item
	}
	return list
}
