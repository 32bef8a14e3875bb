package access

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/exgate/exgate/runtime/gateway"
)

// fileParser parses a file into a content.
type fileParser struct {
	path string
	into *content
}

func parseFile(path string, text []byte) (*content, error) {
	if tooManyValues(text) {
		return nil, fmt.Errorf("%s: more than %d values: is it a file of users and rules?", path, maxIndicators)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, withoutAnchor(err))
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s:1: the file is empty: write users, or anonymous: true", path)
	}
	f := &fileParser{path: path, into: &content{users: map[string]*user{}}}
	if err := f.document(doc.Content[0]); err != nil {
		return nil, err
	}
	return f.into, nil
}

// maxIndicators limits the number of values in a file before it is parsed: the parser uses about 200 bytes for each,
// however short its text. A file of maxFile bytes that contains only users stays below it.
const maxIndicators = 3_500_000

// tooManyValues reports whether text may contain more than maxIndicators values. Each YAML value follows an indicator.
func tooManyValues(text []byte) bool {
	n := 0
	for _, indicator := range []string{":", ",", "[", "{", "?", "- ", "-\n"} {
		n += bytes.Count(text, []byte(indicator))
	}
	return n > maxIndicators
}

// withoutAnchor keeps an unquoted password that begins with * out of the log.
func withoutAnchor(err error) error {
	if strings.Contains(err.Error(), "unknown anchor") {
		return errors.New("a value that begins with * needs quotes")
	}
	return err
}

func (f *fileParser) document(n *yaml.Node) error {
	return f.mapping(n, map[string]func(*yaml.Node) error{
		"anonymous": func(n *yaml.Node) error { return f.decode(n, &f.into.anonymous) },
		"users":     func(n *yaml.Node) error { return f.each(n, f.user) },
		"rules": func(n *yaml.Node) error {
			list := []rule{}
			f.into.rules = &list
			return f.each(n, func(n *yaml.Node) error { return f.rule(n, &list) })
		},
	})
}

func (f *fileParser) user(n *yaml.Node) error {
	var name string
	u := &user{}
	err := f.mapping(n, map[string]func(*yaml.Node) error{
		"username":  func(n *yaml.Node) error { return f.decode(n, &name) },
		"password":  func(n *yaml.Node) error { return f.password(n, u) },
		"superuser": func(n *yaml.Node) error { return f.decode(n, &u.superuser) },
	})
	if err != nil {
		return err
	}
	if name == "" || u.hash == nil {
		return f.wrong(n, errors.New("a user needs username and password"))
	}
	if f.into.users[name] != nil {
		return f.wrong(n, fmt.Errorf("user %q appears twice", name))
	}
	f.into.users[name] = u
	f.into.hashes = append(f.into.hashes, u.hash)
	return nil
}

func (f *fileParser) password(n *yaml.Node, u *user) error {
	if err := f.decode(n, &u.password); err != nil {
		return err
	}
	var err error
	if u.hash, err = parsePasswordHash(u.password); err != nil {
		return f.wrong(n, err)
	}
	return nil
}

func (f *fileParser) rule(n *yaml.Node, list *[]rule) error {
	var r rule
	var permission, action string
	var retain *bool
	err := f.mapping(n, map[string]func(*yaml.Node) error{
		"permission": func(n *yaml.Node) error { return f.choice(n, &permission, "allow", "deny") },
		"action":     func(n *yaml.Node) error { return f.choice(n, &action, "publish", "subscribe", "all") },
		"retain":     func(n *yaml.Node) error { return f.decode(n, &retain) },
		"username":   func(n *yaml.Node) error { return f.decode(n, &r.username) },
		"clientid":   func(n *yaml.Node) error { return f.decode(n, &r.clientID) },
		"topics": func(n *yaml.Node) error {
			return f.each(n, func(n *yaml.Node) error { return f.pattern(n, &r) })
		},
	})
	if err != nil {
		return err
	}
	if permission == "" || action == "" || len(r.topics) == 0 {
		return f.wrong(n, errors.New("a rule needs permission, action and topics"))
	}
	r.allow = permission == "allow"
	r.actions = actionsOf(action, retain)
	*list = append(*list, r)
	return nil
}

func (f *fileParser) pattern(n *yaml.Node, r *rule) error {
	var filter string
	if err := f.decode(n, &filter); err != nil {
		return err
	}
	p, err := gateway.ParseTopicPattern(filter)
	if err != nil {
		return f.wrong(n, err)
	}
	r.topics = append(r.topics, p)
	return nil
}

func (f *fileParser) mapping(n *yaml.Node, keys map[string]func(*yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return f.wrong(n, fmt.Errorf("want %s", strings.Join(slices.Sorted(maps.Keys(keys)), ", ")))
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		use := keys[key.Value]
		if use == nil {
			return f.wrong(key, fmt.Errorf("unknown key %q: want %s", key.Value,
				strings.Join(slices.Sorted(maps.Keys(keys)), ", ")))
		}
		if seen[key.Value] {
			return f.wrong(key, fmt.Errorf("%s appears twice", key.Value))
		}
		seen[key.Value] = true
		if err := use(n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (f *fileParser) each(n *yaml.Node, use func(*yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode {
		return f.wrong(n, errors.New("want a list"))
	}
	for _, item := range n.Content {
		if err := use(item); err != nil {
			return err
		}
	}
	return nil
}

func (f *fileParser) choice(n *yaml.Node, to *string, choices ...string) error {
	if !slices.Contains(choices, n.Value) {
		return f.wrong(n, fmt.Errorf("%q must be one of %s", n.Value, strings.Join(choices, ", ")))
	}
	return f.decode(n, to)
}

func (f *fileParser) decode(n *yaml.Node, to any) error {
	if n.Kind != yaml.ScalarNode || n.Decode(to) != nil {
		return f.wrong(n, errors.New("the value has the wrong type"))
	}
	return nil
}

func (f *fileParser) wrong(n *yaml.Node, err error) error {
	return fmt.Errorf("%s:%d: %w", f.path, n.Line, err)
}
