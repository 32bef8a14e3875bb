package config

import "path/filepath"

// StateLocal is the value of upstream.state that keeps the state of devices in a folder of the gateway.
const StateLocal = "local"

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
	if u.State == StateLocal {
		r.localState(u)
		return
	}
	for _, name := range []string{"folder", "max_bytes", "bytes"} {
		if at, said := r.cfg.said(key + "_" + name); said {
			r.problems.add(at, key+"_"+name, "needs upstream.state, which says where the state of devices is kept")
		}
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
