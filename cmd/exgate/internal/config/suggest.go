package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// unknownKey returns the message for word, the end of key, which is not a setting of n. It suggests the setting that
// may have been meant.
func unknownKey(n *node, word, key string) string {
	if name, value, ok := strings.Cut(word, ":"); ok && n.child(name) != nil && n.kind == kindSection {
		return spaceBehind(name, value)
	}
	if text := insteadOf(key); text != "" {
		return "unknown key: " + text
	}
	if listeners := n.children["listeners"]; listeners != nil && listeners.each.children[word] != nil {
		return fmt.Sprintf("unknown key, did you mean %q?", "listeners.NAME."+word)
	}
	for _, name := range n.names() {
		if n.children[name].children[word] != nil {
			return fmt.Sprintf("unknown key, did you mean %q?", join(name, word))
		}
	}
	if near := nearest(word, n.names()); near != "" {
		return fmt.Sprintf("unknown key, did you mean %q?", near)
	}
	return "unknown key"
}

// Nearest returns the candidate that word may have been meant to be, or "" if none is near.
func Nearest(word string, candidates []string) string { return nearest(word, candidates) }

// nearest returns the candidate that takes the fewest edits to become word, or "" if none is near.
func nearest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/2+1
	for _, c := range candidates {
		if d := distance(word, c, bestDistance); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours from a to b; it returns limit if
// there are more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}

// nameless reports whether key would be a listener's setting if it contained the listener's name.
func nameless(key string) bool {
	rest, ok := strings.CutPrefix(key, "listeners.")
	if !ok {
		return false
	}
	n, _, known := schema.children["listeners"].each.at(rest)
	return known && !n.section()
}

// lacksName says where the setting of a listener belongs.
func lacksName(key string) string {
	setting := strings.TrimPrefix(key, "listeners.")
	return fmt.Sprintf("belongs to a listener, and the listener needs a name: listeners.NAME.%s", setting)
}

// lacksName reports whether name, found with this value among the names of listeners, is a listener's setting.
func (n *node) lacksName(name string, value *yaml.Node) bool {
	if n.kind != kindNamed || n.each.children[name] == nil {
		return false
	}
	of, value := n.each.children[name], resolve(value)
	if !of.section() || value.Kind != yaml.MappingNode {
		return value.Kind != yaml.MappingNode
	}
	return len(value.Content) > 0 && of.child(value.Content[0].Value) != nil &&
		n.each.child(value.Content[0].Value) == nil
}

// instead says what to write instead of settings that users expect and exgate does not have. Keys of a listener begin
// with *.
var instead = map[string]string{
	"upstream.password":    "write it into a file and name that in upstream.password_file",
	"upstream.user":        "write upstream.username",
	"upstream.client_id":   "the gateway derives the client ids of its own connections from node",
	"upstream.clientid":    "the gateway derives the client ids of its own connections from node",
	"upstream.host":        "the broker's address is upstream.url, such as mqtt://host:1883",
	"upstream.port":        "the broker's address is upstream.url, such as mqtt://host:1883",
	"upstream.address":     "the broker's address is upstream.url, such as mqtt://host:1883",
	"upstream.server":      "the broker's address is upstream.url, such as mqtt://host:1883",
	"upstream.broker":      "the broker's address is upstream.url, such as mqtt://host:1883",
	"upstream.mountpoint":  "each listener has its own: listeners.NAME.mountpoint",
	"upstream.tls.verify":  "the broker's certificate is always verified: name its authority in upstream.tls.ca",
	"upstream.tls.enabled": "TLS is used if upstream.url begins with mqtts:// or wss://",
	"broker":               "the broker is configured in upstream, such as upstream: {url: mqtt://host:1883}",
	"mqtt":                 "the broker is configured in upstream, such as upstream: {url: mqtt://host:1883}",
	"listener":             "write listeners.NAME",
	"include":              "a configuration is one file, which variables and flags override",
	"exproto":              "convert a configuration of EMQX with exgate config import",
	"gateway":              "convert a configuration of EMQX with exgate config import",
	"log.file":             "logs go to standard error: redirect it",
	"log.path":             "logs go to standard error: redirect it",
	"*.port":               `write bind with both, such as bind: ":7993" or bind: 192.0.2.1:7993`,
	"*.host":               `write bind with both, such as bind: ":7993" or bind: 192.0.2.1:7993`,
	"*.address":            `write bind with both, such as bind: ":7993" or bind: 192.0.2.1:7993`,
	"*.listen":             `write bind with both, such as bind: ":7993" or bind: 192.0.2.1:7993`,
	"*.protocol":           "the transport is type: tcp, tls, ws, wss, udp or dtls; handler decides what devices speak",
	"*.enabled":            "a configured listener is always on: remove it to turn it off",
	"*.handler.path":       "write handler.wasm, the path of a module",
	"*.handler.file":       "write handler.wasm, the path of a module",
	"*.handler.url":        "write handler.grpc, the host:port of a handler service",
	"*.handler.address":    "write handler.grpc, the host:port of a handler service",
}

// insteadOf returns what to write for key, or "".
func insteadOf(key string) string {
	if text, ok := instead[key]; ok {
		return text
	}
	if rest, ok := strings.CutPrefix(key, "listeners."); ok {
		_, setting, _ := strings.Cut(rest, ".")
		key = "*." + setting
	} else if setting, ok := strings.CutPrefix(key, "listener."); ok {
		key = "*." + setting
	}
	if text, ok := instead[key]; ok {
		return text
	}
	if text, ok := instead[strings.Replace(key, "_", ".", 1)]; ok { // a variable with one underscore
		return text
	}
	for _, suffix := range [][2]string{
		{"certfile", "cert"},
		{"cert_file", "cert"},
		{"keyfile", "key"},
		{"key_file", "key"},
		{"cacertfile", "ca"},
		{"cafile", "ca"},
		{"ca_file", "ca"},
	} {
		if strings.HasSuffix(key, ".tls."+suffix[0]) {
			return "write " + suffix[1]
		}
	}
	return ""
}
