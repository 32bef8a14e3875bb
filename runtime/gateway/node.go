package gateway

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
)

// maxNodeName is the longest host name that Linux allows, in bytes.
const maxNodeName = 64

// CheckNode returns an error unless name is valid for a gateway: it must be 1 to 64 letters, digits, '.', '-' and '_'
// of ASCII.
func CheckNode(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a node's name must not be empty")
	case len(name) > maxNodeName:
		return fmt.Errorf("the node's name %.80q is longer than %d bytes", name, maxNodeName)
	case strings.ContainsFunc(name, notInNode):
		return fmt.Errorf("the node's name %q may contain letters, digits, '.', '-' and '_' only", name)
	}
	return nil
}

// DefaultNode is the host's name with each character that a node's name must not contain replaced by '-', or "exgate"
// if the host has no name.
func DefaultNode() string {
	host, _ := os.Hostname()
	return cleanNode(host)
}

func cleanNode(name string) string {
	name = strings.Map(func(r rune) rune {
		if notInNode(r) {
			return '-'
		}
		return r
	}, name)
	if name == "" {
		return "exgate"
	}
	return name[:min(len(name), maxNodeName)]
}

func notInNode(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-', r == '_':
		return false
	}
	return true
}

// newID makes the id of a connection of node: 128 random bits in base 32, '@' and node.
func newID(node string) string { return rand.Text() + "@" + node }

// newClientID creates a client id for a device whose handler sets none: "exgate" and 85 random bits in base 32. Every
// MQTT server accepts its 23 letters and digits (MQTT 5, section 3.1.3.1).
func newClientID() string { return "exgate" + rand.Text()[:17] }

// NodeOf returns the node that made the connection id, or "" if id does not name one.
func NodeOf(id string) string {
	_, node, _ := strings.Cut(id, "@")
	return node
}
