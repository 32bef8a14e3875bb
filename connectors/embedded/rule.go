package embedded

import (
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// rule is one entry of an auth file: it decides for the clients, actions and topics it names.
type rule struct {
	allow    bool
	actions  [2]bool // by Action
	username string  // empty: any
	clientID string  // empty: any
	topics   []pattern
}

// pattern is a topic filter with placeholders, level by level.
type pattern []string

func (r *rule) applies(client gateway.ClientInfo, action Action, name string) bool {
	if !r.actions[action] || (r.username != "" && r.username != client.Username) || (r.clientID != "" && r.clientID != client.ClientID) {
		return false
	}
	for _, p := range r.topics {
		if p.covers(name, client) {
			return true
		}
	}
	return false
}

// covers reports whether everything that name, a topic or a filter, stands for is inside the pattern.
func (p pattern) covers(name string, client gateway.ClientInfo) bool {
	if strings.HasPrefix(name, "$") && (p[0] == "+" || p[0] == "#") {
		return false
	}
	more := true
	for _, want := range p {
		if want == "#" {
			return true
		}
		if !more {
			return false
		}
		var level string
		level, name, more = strings.Cut(name, "/")
		if !levelCovers(want, level, client) {
			return false
		}
	}
	return !more
}

// levelCovers compares what stands for a client id or username as plain text: a client called + gets no wildcard, one called a/b matches nothing.
func levelCovers(want, level string, client gateway.ClientInfo) bool {
	if want == "+" {
		return level != "#"
	}
	if level == "+" || level == "#" {
		return false
	}
	if !strings.Contains(want, "${") {
		return want == level
	}
	if (client.ClientID == "" && strings.Contains(want, "${clientid}")) || (client.Username == "" && strings.Contains(want, "${username}")) {
		return false
	}
	return level == strings.NewReplacer("${clientid}", client.ClientID, "${username}", client.Username).Replace(want)
}
