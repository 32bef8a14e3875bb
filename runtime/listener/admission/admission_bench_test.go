package admission

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// blockList is a list as operators have: many networks that are denied, and the rest allowed.
func blockList(n int) []string {
	random := rand.New(rand.NewPCG(1, 2))
	rules := make([]string, 0, n)
	for range n - 1 {
		rules = append(rules, fmt.Sprintf("deny %d.%d.%d.0/24", 1+random.IntN(220), random.IntN(256), random.IntN(256)))
	}
	return append(rules, "allow all")
}

// naiveList is the rules one after the other, parsed.
type naiveList []struct {
	prefix netip.Prefix
	allow  bool
}

func newNaiveList(rules []string) naiveList {
	var list naiveList
	for _, rule := range rules {
		prefixes, allow, _ := parseRule(rule)
		for _, p := range prefixes {
			list = append(list, struct {
				prefix netip.Prefix
				allow  bool
			}{p, allow})
		}
	}
	return list
}

func (l naiveList) allowed(a netip.Addr) bool {
	a = a.Unmap()
	for i := range l {
		if l[i].prefix.Contains(a) {
			return l[i].allow
		}
	}
	return true
}

// BenchmarkAdmit is a connection's way in and out with every limit set and 1,000 access rules; "naive/admit" is how
// many times longer only asking the rules one by one takes.
func BenchmarkAdmit(b *testing.B) {
	rules := blockList(1000)
	list, err := ParseAccess(rules)
	if err != nil {
		b.Fatal(err)
	}
	a := admission(b, Config{
		Access: list, MaxConnections: 1e6, MaxPerSource: 100, Rate: 1e9, Total: NewTotalLimit(1e6),
		Ban: BanConfig{Failures: 5},
	})
	(&Ticket{admission: a, source: sourceOf(ip("203.0.113.1"))}).Failed()
	addresses := make([]netip.Addr, 4096)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range addresses {
		addresses[i] = netip.AddrFrom4([4]byte{
			byte(1 + random.IntN(220)), byte(random.IntN(256)),
			byte(random.IntN(256)), byte(random.IntN(256)),
		})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ticket, _ := a.Admit(addresses[i%len(addresses)])
		ticket.Release()
	}
	admitTime := b.Elapsed() / time.Duration(b.N)

	naive := newNaiveList(rules)
	const rounds = 20000
	start := time.Now()
	for i := range rounds {
		naive.allowed(addresses[i%len(addresses)])
	}
	b.ReportMetric(float64(time.Since(start)/rounds)/float64(max(admitTime, 1)), "naive/admit")
}

// BenchmarkAdmitParallel is BenchmarkAdmit from all processors at once, while a source is banned.
func BenchmarkAdmitParallel(b *testing.B) {
	a := admission(b, Config{MaxConnections: 1e6, MaxPerSource: 100, Rate: 1e9, Ban: BanConfig{Failures: 1}})
	(&Ticket{admission: a, source: sourceOf(ip("203.0.113.1"))}).Failed()
	b.RunParallel(func(pb *testing.PB) {
		from := netip.AddrFrom4([4]byte{10, 0, byte(rand.IntN(256)), byte(rand.IntN(256))})
		for pb.Next() {
			ticket, _ := a.Admit(from)
			ticket.Release()
		}
	})
}

// BenchmarkRefuse measures the cost of connections over the limit.
func BenchmarkRefuse(b *testing.B) {
	a := admission(b, Config{MaxPerSource: 1})
	from := ip("10.0.0.1")
	a.Admit(from)
	b.ReportAllocs()
	for b.Loop() {
		a.Admit(from)
	}
}
