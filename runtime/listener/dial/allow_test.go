package dial

import (
	"net/netip"
	"testing"

	"github.com/exgate/exgate/runtime/listener/admission"
)

func TestAllow(t *testing.T) {
	with := func(rules ...string) *admission.Admission {
		list, err := admission.ParseAccess(rules)
		must(t, err)
		a, err := admission.New(admission.Config{Access: list})
		must(t, err)
		return a
	}
	special := []string{
		"127.0.0.1", "::1", "169.254.169.254", "::ffff:169.254.169.254", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1",
		"255.255.255.255", "fd00:ec2::254", "100.100.100.200", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
		"::169.254.169.254", "64:ff9b::7f00:1", "168.63.129.16",
	}
	for name, a := range map[string]*admission.Admission{
		"no limits": nil, "no rules": with(), "all": with("allow all"), "wide": with("allow 128.0.0.0/1", "allow ::/0"),
	} {
		for _, address := range special {
			if Check(a, netip.MustParseAddr(address)) == nil {
				t.Errorf("%s: %s may be dialed", name, address)
			}
		}
		for _, address := range []string{"192.0.2.7", "10.0.0.1", "2001:db8::1", "64:ff9b::c000:207"} {
			if err := Check(a, netip.MustParseAddr(address)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	named := with("allow 127.0.0.0/8", "allow 169.254.7.0/24", "deny 169.254.0.0/16", "allow 10.0.0.0/8", "deny all")
	for address, want := range map[string]bool{
		"127.0.0.1": true, "169.254.7.1": true, "169.254.169.254": false, "10.1.2.3": true, "192.0.2.7": false,
		"::ffff:127.0.0.1": true, "2002:a9fe:a9fe::1": false, "::1": false,
	} {
		if got := Check(named, netip.MustParseAddr(address)) == nil; got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}
