package admission

import (
	"testing"
	"unsafe"
)

// A proxy's connections are its devices': they are let in, counted and banned by their own addresses.
func TestRebindCountsTheDevice(t *testing.T) {
	m := NewMetrics(nil)
	list, err := ParseAccess([]string{"deny 192.168.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	a := admission(t, Config{
		Listener: "l", Access: list, MaxPerSource: 1, MaxConnections: 4, Ban: BanConfig{Failures: 1}, Metrics: m,
	})
	behind := func(device string, want bool) *Ticket {
		t.Helper()
		ticket, ok := a.AdmitProxy(ip("10.0.0.1"))
		if !ok {
			t.Fatal("the proxy was refused")
		}
		if ticket.Rebind(ip(device)) != want {
			t.Errorf("%s: not %v", device, want)
		}
		if !want {
			ticket.Release()
		}
		return &ticket
	}
	one, two := behind("172.16.0.1", true), behind("172.16.0.2", true)
	behind("172.16.0.2", false)
	behind("192.168.0.1", false)
	two.Failed()
	two.Release()
	behind("172.16.0.2", false)
	one.Release()
	behind("172.16.0.1", true).Release()
	wantRejections(t, m, map[string]int{"access_denied": 1, "banned": 1, "max_per_source": 1})
	if n := a.open.taken.Load(); n != 0 {
		t.Errorf("%d places are lost", n)
	}
	if _, ok := a.AdmitProxy(ip("192.168.0.1")); ok {
		t.Error("a proxy that is denied was let in")
	}
}

// A ticket of Admit moves its place from the peer to the device.
func TestRebindMovesThePlace(t *testing.T) {
	a := admission(t, Config{MaxPerSource: 1})
	ticket := admit(t, a, 1, "10.0.0.1")[0]
	if !ticket.Rebind(ip("10.0.0.2")) {
		t.Fatal("refused")
	}
	other := admit(t, a, 1, "10.0.0.1", "10.0.0.2")[0]
	if other.Rebind(ip("10.0.0.2")) {
		t.Error("a second connection of one source was let in")
	}
	other.Release()
	ticket.Release()
	admit(t, a, 2, "10.0.0.1", "10.0.0.2")
}

func TestTicketIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Ticket{}); size > 32 {
		t.Errorf("%d bytes", size)
	}
}

func TestAdmitAllocatesNothing(t *testing.T) {
	a := admission(t, Config{
		MaxConnections: 10, MaxPerSource: 10, Rate: 1e9, Total: NewTotalLimit(10),
		Ban: BanConfig{Failures: 5},
	})
	from := ip("10.0.0.1")
	if n := testing.AllocsPerRun(100, func() {
		ticket, _ := a.Admit(from)
		ticket.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
