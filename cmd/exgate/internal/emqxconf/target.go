package emqxconf

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// order is the order of settings in the result, in every section.
var order = []string{
	"adapter", "upstream", "listeners",
	"embedded", "url", "type", "bind", "mountpoint", "idle_timeout", "handler", "grpc", "dialect",
	"tls", "cert", "key", "ca", "client_ca", "server_name", "verify", "fail_if_no_cert", "min_version", "max_version",
	"ciphers", "handshake_timeout",
	"psk", "proxy_protocol", "trusted", "timeout", "access", "rules", "max_connections", "connection_rate", "limits",
	"socket", "udp",
}

// target is a section of the result.
type target struct{ node *yaml.Node }

func newTarget() target { return target{&yaml.Node{Kind: yaml.MappingNode}} }

// set sets the setting with a dotted name to a text, a number, a boolean or texts.
func (t target) set(name string, value any) {
	section, last, ok := cutLast(name)
	if ok {
		t = t.section(section)
	}
	v := &yaml.Node{}
	if err := v.Encode(value); err != nil {
		panic(err) // values of the rules never fail
	}
	if texts, ok := value.([]string); ok && len(strings.Join(texts, ", ")) < 100 {
		v.Style = yaml.FlowStyle
	}
	*t.at(last) = *v
}

// section returns the section with a dotted name.
func (t target) section(name string) target {
	for word := range strings.SplitSeq(name, ".") {
		v := t.at(word)
		v.Kind, v.Tag = yaml.MappingNode, ""
		t = target{v}
	}
	return t
}

// has reports whether the section or setting name is set.
func (t target) has(name string) bool { return t.find(name) >= 0 }

// comment adds lines before a setting of the section.
func (t target) comment(name, text string) {
	_ = t.at(name)
	t.node.Content[t.find(name)].HeadComment = text
}

// note adds a comment after the value of a setting of the section.
func (t target) note(name, text string) { t.at(name).LineComment = text }

func (t target) find(name string) int {
	for i := 0; i < len(t.node.Content); i += 2 {
		if t.node.Content[i].Value == name {
			return i
		}
	}
	return -1
}

// at returns the value of a setting of the section. A new setting is inserted in order.
func (t target) at(name string) *yaml.Node {
	if i := t.find(name); i >= 0 {
		return t.node.Content[i+1]
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Value: name}
	value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	i := 0
	for i < len(t.node.Content) && rank(t.node.Content[i].Value) <= rank(name) {
		i += 2
	}
	t.node.Content = slices.Insert(t.node.Content, i, key, value)
	return value
}

func rank(name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

// render writes the section as YAML after head, lines of comment.
func (t target) render(head []string) ([]byte, error) {
	var b bytes.Buffer
	for _, line := range head {
		b.WriteString(strings.TrimSpace("# "+line) + "\n")
	}
	b.WriteByte('\n')
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(t.node); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func cutLast(name string) (before, last string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}
