package admission

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAccessList(t *testing.T) {
	for _, tt := range []struct {
		name, rules    string
		allows, denies string
	}{
		{"no rules", "", "10.0.0.1 ::1", ""},
		{"no match allows", "deny 10.0.0.0/8", "11.0.0.1 ::1", "10.255.255.255"},
		{"deny all", "deny all", "", "10.0.0.1 ::1 fe80::1%eth0"},
		{"exceptions before the rule", "allow 10.1.0.0/16,deny 10.0.0.0/8", "10.1.2.3 11.0.0.1", "10.2.0.1"},
		{"exceptions behind the rule come too late", "deny 10.0.0.0/8,allow 10.1.0.0/16", "", "10.1.2.3"},
		{
			"three deep", "allow 10.1.1.1,deny 10.1.0.0/16,allow 10.0.0.0/8,deny all", "10.1.1.1 10.2.0.1",
			"10.1.1.2 11.0.0.1 ::1",
		},
		{"host bits are masked", "deny 10.1.2.3/8", "11.1.2.3", "10.9.9.9"},
		{"single addresses", "deny 10.0.0.1,deny 2001:db8::1", "10.0.0.2 2001:db8::2", "10.0.0.1 2001:db8::1"},
		{"IPv6", "allow 2001:db8::/32,deny all", "2001:db8:ffff::1", "2001:db9::1"},
		{"IPv4 in IPv6 addresses", "deny 10.0.0.0/8", "::ffff:11.0.0.1", "::ffff:10.0.0.1"},
		{
			"IPv4 in IPv6 rules", "deny ::ffff:10.1.2.3/104,deny ::ffff:12.0.0.1", "11.0.0.1 12.0.0.2",
			"10.0.0.1 12.0.0.1",
		},
		{"all of IPv6 is not IPv4", "deny ::/0", "10.0.0.1 ::ffff:10.0.0.1", "::1"},
		{"zones do not count", "deny fe80::/10", "", "fe80::1%eth0"},
		{"spaces", " deny \t 10.0.0.0/8 ", "", "10.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, err := ParseAccess(splitRules(tt.rules))
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range strings.Fields(tt.allows) {
				if !list.Allowed(netip.MustParseAddr(text)) {
					t.Errorf("%s is denied", text)
				}
			}
			for _, text := range strings.Fields(tt.denies) {
				if list.Allowed(netip.MustParseAddr(text)) {
					t.Errorf("%s is allowed", text)
				}
			}
		})
	}
}

func splitRules(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func TestPeersWithoutAddressAndListsWithoutRules(t *testing.T) {
	list, err := ParseAccess([]string{"deny all"})
	if err != nil || !list.Allowed(netip.Addr{}) || list.Len() != 1 {
		t.Errorf("a peer without an address is denied, %v", err)
	}
	list = nil
	if !list.Allowed(netip.MustParseAddr("10.0.0.1")) || list.Len() != 0 {
		t.Error("a nil list denies")
	}
}

func TestBadAccessRules(t *testing.T) {
	for _, tt := range []struct{ rule, want string }{
		{"", `it is empty: write allow or deny and an address, a prefix or all`},
		{"  ", `it is empty: write allow or deny and an address, a prefix or all`},
		{"permit all", `"permit" is neither allow nor deny`},
		{"Allow all", `"Allow" is neither allow nor deny`},
		{"# note", `"#" is neither allow nor deny`},
		{"allow", `allow needs an address, a prefix or all`},
		{"deny 10.0.0.1 10.0.0.2", `unexpected "10.0.0.2": write one rule for each address`},
		{"deny ALL", `"ALL" is not an IP address`},
		{"deny example.com", `"example.com" is not an IP address`},
		{"deny 10.0.0.256", `"10.0.0.256" is not an IP address`},
		{"deny 10.0.0.01", `"10.0.0.01" is not an IP address`},
		{"deny 10.0.0/8", `"10.0.0" is not an IP address`},
		{"deny /8", `"" is not an IP address`},
		{"deny 10.0.0.0/33", `"33" is not a prefix length: use 0 to 32`},
		{"deny 10.0.0.0/", `"" is not a prefix length: use 0 to 32`},
		{"deny 10.0.0.0/-1", `"-1" is not a prefix length: use 0 to 32`},
		{"deny 10.0.0.0/255.0.0.0", `"255.0.0.0" is not a prefix length: use 0 to 32`},
		{"deny 2001:db8::/129", `"129" is not a prefix length: use 0 to 128`},
		{"deny fe80::1%eth0", `remove the zone "eth0": rules ignore it`},
		{"deny fe80::%eth0/64", `remove the zone "eth0": rules ignore it`},
		{
			"deny ::ffff:0.0.0.0/95",
			"a prefix of IPv4 in IPv6 is at least 96 bits long, not 95: write the IPv4 prefix instead",
		},
	} {
		list, err := ParseAccess([]string{"allow all", tt.rule})
		want := fmt.Sprintf("access rule 2, %q: %s", tt.rule, tt.want)
		if err == nil || err.Error() != want || list != nil {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

// firstMatch is the reference implementation of a list.
func firstMatch(rules []string, a netip.Addr) bool {
	for _, rule := range rules {
		prefixes, allow, _ := parseRule(rule)
		for _, p := range prefixes {
			if p.Contains(a.Unmap()) {
				return allow
			}
		}
	}
	return true
}

// near draws addresses of few distinct bytes, so that rules overlap and match.
func near() *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		draw := rapid.SampledFrom([]byte{0, 1, 10, 127, 128, 255})
		if rapid.Bool().Draw(t, "IPv4") {
			return netip.AddrFrom4([4]byte{10, draw.Draw(t, "b"), draw.Draw(t, "c"), draw.Draw(t, "d")})
		}
		b := [16]byte{0: 0x20, 1: 0x01, 2: draw.Draw(t, "b"), 3: draw.Draw(t, "c"), 15: draw.Draw(t, "d")}
		return netip.AddrFrom16(b)
	})
}

func TestLongestPrefixIsFirstMatch(t *testing.T) {
	anyRule := rapid.Custom(func(t *rapid.T) string {
		verb := rapid.SampledFrom([]string{"allow ", "deny "}).Draw(t, "verb")
		if rapid.IntRange(0, 20).Draw(t, "all") == 0 {
			return verb + "all"
		}
		a := near().Draw(t, "address")
		return verb + netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).String()
	})
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SliceOfN(anyRule, 0, 40).Draw(t, "rules")
		list, err := ParseAccess(rules)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range rapid.SliceOfN(near(), 1, 50).Draw(t, "addresses") {
			if got, want := list.Allowed(a), firstMatch(rules, a); got != want {
				t.Fatalf("%v: %v, want %v", a, got, want)
			}
		}
	})
}

// Any file is either refused with a line number, or means the same as its rules one after the other.
func FuzzAccessFile(f *testing.F) {
	f.Add("allow 10.0.0.0/8\ndeny all # the rest\n", []byte{10, 1, 2, 3})
	f.Add("deny ::ffff:10.0.0.0/104\r\n\n", []byte{10, 0, 0, 1})
	f.Add("deny 2001:db8::/32\nallow ::/0", append([]byte{0x20, 0x01, 0x0d, 0xb8}, make([]byte, 12)...))
	f.Add("permit", []byte{1, 2, 3, 4})
	f.Add("allow fe80::1%x/64", []byte{})
	f.Fuzz(func(t *testing.T, content string, address []byte) {
		list, err := parseAccessFile("acl", []byte(content))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "access list acl, line ") {
				t.Error(err)
			}
			return
		}
		a, ok := netip.AddrFromSlice(address)
		if !ok {
			return
		}
		var rules []string
		for line := range strings.Lines(content) {
			if rule, _, _ := strings.Cut(line, "#"); strings.TrimSpace(rule) != "" {
				rules = append(rules, rule)
			}
		}
		if got, want := list.Allowed(a), firstMatch(rules, a); got != want || list.Len() != len(rules) {
			t.Errorf("%v: %v, want %v; %d rules", a, got, want, list.Len())
		}
	})
}
