package dtls

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

func randomSource() netip.AddrPort {
	var ip [4]byte
	binary.BigEndian.PutUint32(ip[:], rand.Uint32())
	return netip.AddrPortFrom(netip.AddrFrom4(ip), uint16(rand.Uint32()))
}

func randomHello() []byte {
	b := aHello(0, 0xc02b)
	for i := range 32 {
		b[recordHeader+handshakeHeader+2+i] = byte(rand.Uint32())
	}
	return b
}

// A hello is taken when it comes again from the same source, with the same random, neither at once nor after long.
func TestGreylist(t *testing.T) {
	source, hello := randomSource(), randomHello()
	other := netip.AddrPortFrom(source.Addr(), source.Port()+1)
	for name, c := range map[string]struct {
		source netip.AddrPort
		hello  []byte
		after  time.Duration
		want   bool
	}{
		"after a second":       {source, hello, time.Second, true},
		"at once":              {source, hello, 0, false},
		"doubled":              {source, hello, greyMin - time.Millisecond, false},
		"as soon as it may":    {source, hello, greyMin, true},
		"as late as it may":    {source, hello, greyMax, true},
		"too late":             {source, hello, greyMax + time.Millisecond, false},
		"from another port":    {other, hello, time.Second, false},
		"with another random":  {source, randomHello(), time.Second, false},
		"longer than 49 days":  {source, hello, 50 * 24 * time.Hour, false},
		"of an IPv6 neighbour": {netip.MustParseAddrPort("[2001:db8::1]:5684"), hello, time.Second, false},
	} {
		g, start := newGreylist(), time.Now()
		if g.repeated(source, hello, start) {
			t.Fatalf("%s: the first is a repetition", name)
		}
		if got := g.repeated(c.source, c.hello, start.Add(c.after)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// At 50,000 new hellos a second those that come again after one or two seconds are known, and none that did not come
// before is.
func TestGreylistUnderAFlood(t *testing.T) {
	const rate, devices = 50_000, 2000
	g, start := newGreylist(), time.Now()
	sources, hellos := make([]netip.AddrPort, devices), make([][]byte, devices)
	for i := range devices {
		sources[i], hellos[i] = randomSource(), randomHello()
	}
	forged := randomHello()
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second / rate) }
	flood := func(from, to int) {
		for n := from; n < to; n++ {
			binary.BigEndian.PutUint64(forged[recordHeader+handshakeHeader+2:], rand.Uint64())
			if g.repeated(randomSource(), forged, at(n)) {
				t.Fatal("a hello that never came is a repetition")
			}
		}
	}
	flood(0, 5*rate) // until the table is full
	for i := range devices {
		g.repeated(sources[i], hellos[i], at(5*rate))
	}
	// A hello is forgotten once eight newer ones have hit its set: 0.4 and 26 of 2,000 are expected (Poisson). The
	// limits are more than six standard deviations away.
	for second, most := range []int{1: 10, 2: 60} {
		if second == 0 {
			continue
		}
		flood((4+second)*rate, (5+second)*rate)
		lost := 0
		for i := range devices {
			if !g.repeated(sources[i], hellos[i], at((5+second)*rate)) {
				lost++
			}
		}
		if lost > most {
			t.Errorf("%d of %d hellos were forgotten after %d s", lost, devices, second)
		}
	}
}
