package conformance

import (
	"fmt"
	"strings"

	"github.com/exgate/exgate/hostabi"
)

func createdClosed(t *trial) string {
	d := t.device()
	d.close("tcp_closed")
	return "a connection that sends nothing opens and closes"
}

// peers opens connections of every kind, with every ConnInfo that a gateway may send.
func peers(t *trial) string {
	long := strings.Repeat("n", 4096)
	cases := []hostabi.ConnInfo{
		{},
		{
			SocketType: 1, Peer: hostabi.Address{Host: "2001:db8::1", Port: 65535},
			Local: hostabi.Address{Host: "::", Port: 1},
		},
		{SocketType: 2, Peer: hostabi.Address{Host: "192.0.2.1", Port: 5683}},
		{SocketType: 3, PeerCert: &hostabi.CertificateInfo{}},
		{SocketType: 1, PeerCert: &hostabi.CertificateInfo{
			CommonName: long, DistinguishedName: "CN=" + long + ",O=\xff\xfe",
		}},
		{SocketType: 99, Peer: hostabi.Address{Host: long, Port: 1<<32 - 1}},
	}
	d := &device{t: t}
	for _, info := range cases {
		d.connect(info)
		d.bytes(t.run.options.Samples[0])
		d.close("tcp_closed")
	}
	return fmt.Sprintf("accepts %d kinds of peers: TCP, TLS, UDP, DTLS, with and without certificates", len(cases))
}

func closeReasons(t *trial) string {
	reasons := []string{
		"", "tcp_closed", "keepalive_timeout", "a_reason_that_comes_later", "\xff\xfe\x00", strings.Repeat("r", 4096),
	}
	for _, reason := range reasons {
		d := t.device()
		d.bytes(t.run.options.Samples[0])
		d.close(reason)
	}
	return fmt.Sprintf("accepts %d reasons of CLOSED: known, unknown, empty and long", len(reasons))
}

// connectionsTogether opens many connections at once, and closes them in another order.
func connectionsTogether(t *trial) string {
	const n = 1_000
	devices := make([]*device, n)
	for i := range devices {
		devices[i] = t.device()
	}
	open := 0
	for i, d := range devices {
		if d.open {
			open++
			d.bytes(t.run.options.Samples[i%len(t.run.options.Samples)])
		}
	}
	for i := range devices {
		devices[(i*617)%n].close("tcp_closed") // 617 has no factor in common with n
	}
	if open == 0 {
		t.warnf("the guest closes every connection as soon as it opens")
	} else if open < n {
		t.warnf("the guest accepted %d of %d simultaneous connections and closed the others", open, n)
	}
	return fmt.Sprintf("%d connections were open at once and closed in another order", n)
}

func timers(t *trial) string {
	d := t.device()
	for _, timer := range []int64{0, 1, 99, 1<<32 - 1, -1} {
		d.event(hostabi.KindTimer, timer, nil)
	}
	d.bytes(t.run.options.Samples[0])
	d.event(hostabi.KindTimer, 0, nil)
	d.close("keepalive_timeout")
	return "accepts timers, before and after the device has sent something, also of types that were not started"
}

// alarms delivers ALARM, also with ids that no timer can have.
func alarms(t *trial) string {
	d := t.device()
	for _, id := range []int64{0, 1, 15, 16, 1<<32 - 1, -1} {
		d.event(hostabi.KindAlarm, id, nil)
	}
	d.bytes(t.run.options.Samples[0])
	d.event(hostabi.KindAlarm, 0, nil)
	d.close("tcp_closed")
	return "accepts alarms, before and after the device has sent something, also of timers that were not set"
}

func drain(t *trial) string {
	d := t.device()
	d.event(hostabi.KindDrain, 0, nil)
	d.bytes(t.run.options.Samples[0])
	d.event(hostabi.KindDrain, 0, nil)
	d.close("shutdown")
	return "accepts DRAIN, and the connection continues"
}

// kindsUnknown delivers event kinds of later minor versions.
func kindsUnknown(t *trial) string {
	d := t.device()
	for _, kind := range []hostabi.Kind{63, 99, 1 << 31, 1<<32 - 1} {
		for _, body := range [][]byte{nil, []byte("text"), {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}} {
			if action := d.event(kind, -1, body); action != hostabi.ActionContinue {
				t.failf("the guest returned action %d for an event of the unknown kind %d: it must return 0",
					int32(action), uint32(kind))
			}
		}
	}
	d.close("tcp_closed")
	return "returns 0 for events of unknown kinds"
}
