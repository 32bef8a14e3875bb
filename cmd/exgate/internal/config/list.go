package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// splitList reads a list from a variable or a flag, in which commas separate the items.
func splitList(text string) []string {
	items := strings.Split(text, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
	}
	return items
}

// list reads the items of a list, and records the line of each.
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
			w.problem(item, key, "must contain strings, not %s", describe(item))
			return
		}
		items[i] = item.Value
		w.say(itemKey(key, i), w.at(item.Line), nil)
	}
	w.say(key, at, items)
}

// itemKey is the key of an item of a list in origins.
func itemKey(key string, i int) string { return fmt.Sprintf("%s.%d", key, i) }

// ofItem returns where item i of the list key was set: its own line in a file, otherwise where the list was set.
func (o origins) ofItem(key string, i int) origin {
	list := o.of(key)
	if item, ok := o[itemKey(key, i)]; ok && list.order < orderEnvironment {
		return item
	}
	return list
}
