package config

import (
	"path/filepath"
	"strings"
)

// The values of upstream.state.
const (
	StateLocal  = "local"  // in a folder of the gateway
	StateBroker = "broker" // as retained messages at the broker
)

// StateTopic is the default of upstream.state_topic.
const StateTopic = "exgate/state"

// LocalState returns the folder of the state of devices: state_folder or, if that is not set, the folder state beside
// the spool's. It is empty if the state is not local, or if neither is set.
func (u Upstream) LocalState() string {
	switch {
	case u.State != StateLocal:
		return ""
	case u.StateFolder != "" || u.Spool.Folder == "":
		return u.StateFolder
	}
	return filepath.Join(filepath.Dir(filepath.Clean(u.Spool.Folder)), "state")
}

// state checks where the state of devices is kept.
func (r rules) state(u Upstream) {
	const key = "upstream.state"
	if r.broken(key) {
		return
	}
	for _, of := range []struct{ name, store string }{
		{"topic", StateBroker}, {"folder", StateLocal}, {"max_bytes", StateLocal},
	} {
		if at, said := r.cfg.said(key + "_" + of.name); said && u.State != of.store {
			r.problems.add(at, key+"_"+of.name, "applies only with upstream.state: %s", of.store)
		}
	}
	if at, said := r.cfg.said(key + "_bytes"); said && u.State == "" {
		r.problems.add(at, key+"_bytes", "needs upstream.state, which says where the state of devices is kept")
	}
	switch u.State {
	case StateLocal:
		r.localState(u)
	case StateBroker:
		r.brokerState(u)
	}
}

func (r rules) localState(u Upstream) {
	folder := u.LocalState()
	switch {
	case folder == "" && !r.broken("upstream.state_folder"):
		r.problem("upstream.state", "needs upstream.state_folder, where the state of devices is kept")
	case folder == "":
	case u.Spool.Folder != "" && filepath.Clean(folder) == filepath.Clean(u.Spool.Folder):
		r.problem("upstream.state_folder", "must not be the folder of the spool")
	case u.StateFolder != "":
		r.noFile("upstream.state_folder", folder)
	}
}

func (r rules) brokerState(u Upstream) {
	if _, said := r.cfg.said("upstream.url"); !said {
		r.problem("upstream.state", "broker needs upstream.url: the embedded broker forgets messages when it ends")
		return
	}
	if u.StateTopic == "" {
		return
	}
	if err := gatewayTopic(u.StateTopic); err != nil {
		r.problem("upstream.state_topic", "%v", err)
	} else if strings.Contains(u.StateTopic, "${") {
		r.problem("upstream.state_topic", "must be the same for all gateways, without ${node}")
	}
}
