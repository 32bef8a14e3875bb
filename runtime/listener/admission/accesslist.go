package admission

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"
)

// AccessList decides which addresses may connect. It is immutable. A nil *AccessList allows every address.
type AccessList struct {
	table bart.Table[bool] // the longest prefix that contains an address decides
	rules int
}

// ParseAccess parses rules in EMQX's syntax: "allow" or "deny", then an address, a prefix such as 10.0.0.0/8, or "all".
// The first matching rule decides; unmatched addresses are allowed. Host bits of a prefix are ignored. An error names
// the rule by its number, starting at 1.
func ParseAccess(rules []string) (*AccessList, error) {
	list := new(AccessList)
	for i, text := range rules {
		if err := list.add(text); err != nil {
			return nil, fmt.Errorf("access rule %d, %q: %w", i+1, text, err)
		}
	}
	return list, nil
}

// Len is the number of rules.
func (l *AccessList) Len() int {
	if l == nil {
		return 0
	}
	return l.rules
}

// Allowed reports whether address may connect. IPv4-mapped addresses count as IPv4. An invalid address, such as that of
// a unix socket's peer, is allowed.
func (l *AccessList) Allowed(address netip.Addr) bool {
	if l == nil {
		return true
	}
	allow, matched := l.table.Lookup(address.Unmap().WithZone(""))
	return !matched || allow
}

// AllowedNamed is Allowed, but an address inside one of special needs a rule that allows it and whose own prefix lies
// inside that one.
func (l *AccessList) AllowedNamed(address netip.Addr, special []netip.Prefix) bool {
	address = address.Unmap().WithZone("")
	for _, p := range special {
		if p.Contains(address) && !l.names(address, p) {
			return false
		}
	}
	return l.Allowed(address)
}

func (l *AccessList) names(address netip.Addr, special netip.Prefix) bool {
	if l == nil {
		return false
	}
	rule, allow, ok := l.table.LookupPrefixLPM(netip.PrefixFrom(address, address.BitLen()))
	return ok && allow && rule.Bits() >= special.Bits()
}

// add appends a rule. A prefix covered by an earlier rule can never match first and is left out; among the remaining
// prefixes, the longest match is also the first matching rule.
func (l *AccessList) add(text string) error {
	prefixes, allow, err := parseRule(text)
	if err != nil {
		return err
	}
	l.rules++
	for _, p := range prefixes {
		if _, covered := l.table.LookupPrefix(p); !covered {
			l.table.Insert(p, allow)
		}
	}
	return nil
}

func parseRule(text string) (prefixes []netip.Prefix, allow bool, err error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, false, fmt.Errorf(`it is empty: write allow or deny and an address, a prefix or all`)
	}
	if words[0] != "allow" && words[0] != "deny" {
		return nil, false, fmt.Errorf("%q is neither allow nor deny", words[0])
	}
	switch len(words) {
	case 1:
		return nil, false, fmt.Errorf("%s needs an address, a prefix or all", words[0])
	case 2:
		prefixes, err = parseRange(words[1])
		return prefixes, words[0] == "allow", err
	}
	return nil, false, fmt.Errorf("unexpected %q: write one rule for each address", words[2])
}

var everybody = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

func parseRange(text string) ([]netip.Prefix, error) {
	if text == "all" {
		return everybody, nil
	}
	address, bits, isPrefix := strings.Cut(text, "/")
	a, err := netip.ParseAddr(address)
	if err != nil {
		return nil, fmt.Errorf("%q is not an IP address", address)
	}
	if a.Zone() != "" {
		return nil, fmt.Errorf("remove the zone %q: rules ignore it", a.Zone())
	}
	if !isPrefix {
		return []netip.Prefix{netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())}, nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a prefix length: use 0 to %d", bits, a.BitLen())
	}
	return unmapped(p)
}

// unmapped masks p and converts an IPv4-mapped prefix to IPv4.
func unmapped(p netip.Prefix) ([]netip.Prefix, error) {
	if !p.Addr().Is4In6() {
		return []netip.Prefix{p.Masked()}, nil
	}
	if p.Bits() < 96 {
		return nil, fmt.Errorf(
			"a prefix of IPv4 in IPv6 is at least 96 bits long, not %d: write the IPv4 prefix instead",
			p.Bits())
	}
	return []netip.Prefix{netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked()}, nil
}
