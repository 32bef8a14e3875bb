package access

import (
	"sync/atomic"

	"github.com/exgate/exgate/runtime/gateway"
)

// Rules say what clients may do: the first rule that applies decides; if none does, the action is denied. The Rules of
// a [File] change with it, and allow everything while the file has no rules.
type Rules struct {
	list atomic.Pointer[[]rule] // nil: everything is allowed
}

var _ ACL = (*Rules)(nil)

func newRules(list []rule) *Rules {
	r := &Rules{}
	r.list.Store(&list)
	return r
}

// Allows implements [ACL].
func (r *Rules) Allows(device gateway.Device, action Action, topic string) bool {
	list := r.list.Load()
	if list == nil {
		return true
	}
	for i := range *list {
		if rule := &(*list)[i]; rule.applies(&device, action, topic) {
			return rule.allow
		}
	}
	return false
}

// rule allows or denies actions on topics, for the clients that it names.
type rule struct {
	allow    bool
	actions  actions
	username string // empty: any
	clientID string // empty: any
	topics   []gateway.TopicPattern
}

func (r *rule) applies(device *gateway.Device, action Action, name string) bool {
	if !r.actions[action] || (r.username != "" && r.username != device.Username) ||
		(r.clientID != "" && r.clientID != device.ClientID) {
		return false
	}
	for i := range r.topics {
		if r.topics[i].Covers(name, device) || (!r.allow && r.topics[i].CoversAny(name, device)) {
			return true
		}
	}
	return false
}
