package rollout

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// faultFrom connects from address, makes the guest fault, and leaves.
func faultFrom(t *testing.T, m *Module, address string) {
	t.Helper()
	d := gatewaytest.ConnectFrom(t, m, address)
	err := d.Receive("t")
	if err == nil {
		t.Fatal("the guest lives")
	}
	must(t, d.Handler.OnSocketClosed(gateway.ReasonOf(err)))
}

// However often one source makes the new version fault, only faults of others can take it back.
func TestOneSourceTakesNoVersionBack(t *testing.T) {
	for name, o := range map[string]SwapOptions{
		"guard":  {Guard: Guard{MinConnections: 4}},
		"canary": {Guard: Guard{MinConnections: 4}, Canary: &Canary{Percent: 99, Connections: 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModule(t)
			files, names := guests(t, "hostile", "a", "b")
			swap(t, m, files["a"], SwapOptions{})
			older := gatewaytest.ConnectFrom(t, m, "198.51.100.1")
			swap(t, m, files["b"], o)
			for range 10 {
				faultFrom(t, m, "203.0.113.1")
			}
			for i := range 10 {
				leave(t, gatewaytest.ConnectFrom(t, m, fmt.Sprintf("198.51.100.%d", i+1)))
			}
			for range 10 {
				faultFrom(t, m, "203.0.113.1")
			}
			if got := m.Status(); got.RolledBack != nil {
				t.Fatalf("one source has it taken back: %+v", *got.RolledBack)
			}
			for i := range 3 {
				faultFrom(t, m, fmt.Sprintf("198.51.100.%d", i+1))
			}
			if got := m.Status(); got.RolledBack == nil {
				t.Errorf("faults of four sources take nothing back: %s", states(m, names))
			}
			leave(t, older)
		})
	}
}

func TestVotes(t *testing.T) {
	const alone, others = true, false
	for name, test := range map[string]struct {
		counts []sourceCount
		alone  bool
		want   int // the percentage that is just exceeded, or -1
	}{
		"no connection":                        {nil, alone, -1},
		"no fault":                             {[]sourceCount{{5, 0}, {1, 0}}, others, -1},
		"one source, alone":                    {[]sourceCount{{20, 3}}, alone, 14},
		"one source, others at other versions": {[]sourceCount{{20, 20}}, others, -1},
		"two sources, one faults":              {[]sourceCount{{20, 20}, {1, 0}}, others, -1},
		"two sources, both fault":              {[]sourceCount{{20, 20}, {2, 1}}, others, 49},
		"a network with a few broken devices":  {[]sourceCount{{100, 1}, {100, 1}, {100, 1}}, others, 0},
		"one vote each":                        {[]sourceCount{{1, 1}, {1, 1}, {100, 0}, {1, 0}, {1, 0}}, others, 24},
	} {
		v := newVotes()
		for i, c := range test.counts {
			source := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 32)
			for n := range c.connections {
				v.connected(source)
				if n < c.faults {
					v.faulted(source)
				}
			}
		}
		got := -1
		for percent := range 100 {
			if v.exceed(percent, func(netip.Prefix) bool { return test.alone }) {
				got = percent
			}
		}
		if got != test.want {
			t.Errorf("%s: more than %d percent, want %d", name, got, test.want)
		}
	}
}

func TestVotesAreBounded(t *testing.T) {
	v := newVotes()
	for n := range maxSources + 10 {
		source := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
		v.connected(source)
		v.faulted(source)
	}
	if len(v.sources) != maxSources+1 || len(v.faulty) != maxSources+1 || v.connections != maxSources+10 ||
		v.faults != maxSources+10 {
		t.Errorf("%d sources, %d with faults, %d connections, %d faults", len(v.sources), len(v.faulty), v.connections,
			v.faults)
	}
}
