package embedded

import "github.com/exgate/exgate/runtime/gateway"

// rule is one entry of an auth file: it decides for the clients, actions and topics it names.
type rule struct {
	allow    bool
	actions  [2]bool // by Action
	username string  // empty: any
	clientID string  // empty: any
	topics   []gateway.TopicPattern
}

func (r *rule) applies(device *gateway.Device, action Action, name string) bool {
	if !r.actions[action] || (r.username != "" && r.username != device.Username) || (r.clientID != "" && r.clientID != device.ClientID) {
		return false
	}
	for i := range r.topics {
		if r.topics[i].Covers(name, device) {
			return true
		}
	}
	return false
}
