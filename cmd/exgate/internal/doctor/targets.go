package doctor

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/listener/admission"
	dialing "github.com/exgate/exgate/runtime/listener/dial"
)

// maxLookups bounds the names of one listener's targets that are looked up.
const maxLookups = 100

// targets checks the targets of a dial listener. It looks their names up, but dials none: a device may take one
// connection only.
func (c *checkup) targets(ctx context.Context, key string, l config.Listener) []Finding {
	list, err := l.Dial.List()
	if err != nil {
		return []Finding{c.problem(key+".dial.file", "%v", err)}
	}
	rules, err := c.dialRules(key, l.Access)
	if err != nil {
		return []Finding{c.problem(key+".access", "%v", err)}
	}
	var checks []func(context.Context) []Finding
	for _, t := range list.Targets[:min(len(list.Targets), maxLookups)] {
		checks = append(checks, func(ctx context.Context) []Finding { return c.target(ctx, key, t, rules) })
	}
	found := inOrder(ctx, checks)
	if len(found) == 0 {
		found = append(found, c.well(key+".dial", "%d targets have an address that may be dialed", len(checks)))
	}
	return found
}

func (c *checkup) dialRules(key string, of config.Access) (*admission.Admission, error) {
	list, err := admission.ParseAccess(of.Rules)
	if of.File != "" {
		var file *admission.AccessFile
		if file, err = admission.LoadAccess(of.File, nil); err == nil {
			list = file.List()
		}
	}
	if err != nil {
		return nil, err
	}
	return admission.New(admission.Config{Listener: key, Access: list})
}

// target reports a target whose name is unknown or none of whose addresses may be dialed.
func (c *checkup) target(ctx context.Context, key string, t dialing.Target, rules *admission.Admission) []Finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	host, _, _ := net.SplitHostPort(t.Address)
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if address, parsed := netip.ParseAddr(host); parsed == nil {
		found, err = []netip.Addr{address}, nil
	}
	if err != nil {
		return []Finding{c.warning(key+".dial", "target %s: %v", t.Name, err)}
	}
	var refused []string
	for _, address := range found {
		err := dialing.Check(rules, address)
		if err == nil {
			return nil
		}
		refused = append(refused, err.Error())
	}
	return []Finding{c.problem(key+".access", "target %s: %s", t.Name, strings.Join(refused, "; "))}
}
