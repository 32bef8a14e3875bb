package listener_test

import (
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/udp"
)

// fewDescriptors leaves devices most descriptors.
func fewDescriptors(t *testing.T, most, each int) (*admission.Descriptors, *admission.Admission) {
	t.Helper()
	d := admission.DescriptorsFor(most, slog.New(slog.DiscardHandler))
	a, err := admission.New(admission.Config{
		Listener: "l", Descriptors: d, DescriptorsEach: each, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the gateway has ended
		gatewaytest.Eventually(t, "the end of all connections",
			func() bool { return d.Taken() == 0 && d.Silent() == 0 })
	})
	return d, a
}

// Where descriptors run out, silent connections make room for new ones; a device that has said something stays.
func TestSilentConnectionsMakeRoom(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	for name, serve := range map[string]func(t *testing.T, a *admission.Admission) (s *streamServer,
		device func() net.Conn){
		"tcp": func(t *testing.T, a *admission.Admission) (*streamServer, func() net.Conn) {
			s := serveStream(t, listener.TCPConfig{Admission: a}, listenertest.Send, gateway.Limits{})
			return s, func() net.Conn { return dial(t, s.addr) }
		},
		"tls": func(t *testing.T, a *admission.Admission) (*streamServer, func() net.Conn) {
			cfg := tlsOf(t, ca, "server")
			cfg.Admission = a
			s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
			return s, func() net.Conn { return dialTLS(t, s.addr, ca.Client()) }
		},
		"proxy": func(t *testing.T, a *admission.Admission) (*streamServer, func() net.Conn) {
			s := serveStream(t, listener.TCPConfig{Admission: a, Proxy: proxied("127.0.0.0/8")}, listenertest.Send,
				gateway.Limits{})
			return s, func() net.Conn {
				c := dial(t, s.addr)
				if _, err := io.WriteString(c, "PROXY UNKNOWN\r\n"); err != nil {
					t.Fatal(err)
				}
				return c
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			const most = 20
			d, a := fewDescriptors(t, most, 2)
			s, device := serve(t, a)
			old := device()
			echoes(t, old, "before")
			for range 20 {
				for range 10 {
					dial(t, s.addr)
				}
				c := device()
				echoes(t, c, "new")
				_ = c.Close()
				echoes(t, old, "still there")
			}
			if n := d.Taken(); n > most {
				t.Errorf("%d descriptors taken of %d", n, most)
			}
		})
	}
}

// Where all that have a descriptor have said something, a new device is refused with a reason.
func TestNoDescriptors(t *testing.T) {
	const most = 5
	d, a := fewDescriptors(t, most, 1)
	s := serveStream(t, listener.TCPConfig{Admission: a}, listenertest.Send, gateway.Limits{})
	var devices []net.Conn
	for range most {
		devices = append(devices, dial(t, s.addr))
		echoes(t, devices[len(devices)-1], "hello")
	}
	for range 3 {
		if c, err := net.Dial("tcp", s.addr); err == nil { // a reset may come before the connect has returned
			refusedConn(t, c, "")
			_ = c.Close()
		}
	}
	_ = devices[0].Close()
	gatewaytest.Eventually(t, "a descriptor", func() bool { return d.Taken() == most-1 })
	echoes(t, dial(t, s.addr), "hello")
	for _, c := range devices[1:] {
		echoes(t, c, "still there")
	}
}

// Devices over UDP take descriptors only for sessions of their own, and streams that are silent make room for them
// too.
func TestDatagramDevicesAndDescriptors(t *testing.T) {
	d, a := fewDescriptors(t, 5, 1)
	streams := serveStream(t, listener.TCPConfig{Admission: a}, listenertest.Send, gateway.Limits{})
	for range 5 {
		dial(t, streams.addr)
	}
	gatewaytest.Eventually(t, "silent connections", func() bool { return d.Silent() == 5 })
	l, err := udp.Listen(t.Context(), udp.Config{Bind: "127.0.0.1:0", Admission: a})
	if err != nil {
		t.Fatal(err)
	}
	new(listenertest.Server).Start(t, l, listenertest.Send, gateway.Limits{})
	for range 5 {
		listenertest.Ask(t, listenertest.DialUDP(t, "", l.Addr().String()), []byte("x"))
	}
	for range 5 {
		if r := <-streams.Closed; !r.Is(gateway.ReasonNoDescriptors) {
			t.Errorf("closed with %v", r)
		}
	}
	if d.Taken() != 5 {
		t.Errorf("%d taken", d.Taken())
	}
}

// A listener that is not for devices has some connections out of what is kept back, and takes the others from devices.
func TestListenerOfItsOwnDescriptors(t *testing.T) {
	d, a := fewDescriptors(t, 2, 1)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := d.Listener(plain, 2)
	defer func() { _ = l.Close() }()
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	var open []net.Conn
	for range 4 {
		client, c := dial(t, plain.Addr().String()), <-accepted
		if _, err := io.WriteString(client, "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	refused := dial(t, plain.Addr().String())
	if _, err := refused.Read(make([]byte, 1)); err == nil {
		t.Error("the fifth of four is open")
	}
	if _, ok := a.Admit(refused.LocalAddr().(*net.TCPAddr).AddrPort().Addr()); ok {
		t.Error("a device where none is left")
	}
	for _, c := range open {
		_, _ = c.Close(), c.Close()
	}
}

// A device that has sent something is not silent even if that was not read yet: a busy gateway reads late.
func TestUnreadBytesAreNotSilence(t *testing.T) {
	const most = 3
	d, _ := fewDescriptors(t, most, 1)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := d.Listener(plain, 0)
	defer func() { _ = l.Close() }()
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	connect := func() (client, c net.Conn) {
		client, c = dial(t, plain.Addr().String()), <-accepted
		t.Cleanup(func() { _ = c.Close() })
		return client, c
	}
	speak := func(client net.Conn) {
		if _, err := io.WriteString(client, "x"); err != nil {
			t.Fatal(err)
		}
	}
	oldest, unread := connect()
	speak(oldest)
	silent, _ := connect()
	speak(first(connect()))
	speak(first(connect())) // makes the silent one leave
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("the silent connection is open")
	}
	refused := dial(t, plain.Addr().String())
	if _, err := refused.Read(make([]byte, 1)); err == nil {
		t.Error("a connection beside those that have all sent something is open")
	}
	if _, err := io.ReadFull(unread, make([]byte, 1)); err != nil {
		t.Errorf("the oldest, which had sent something: %v", err)
	}
}

func first(c, _ net.Conn) net.Conn { return c }

// A flood of silent connections on one port takes from that port: devices of another that have not spoken yet stay.
func TestFloodOfAPortTakesFromItself(t *testing.T) {
	const most = 10
	d, a := fewDescriptors(t, most, 1)
	s := serveStream(t, listener.TCPConfig{Admission: a}, listenertest.Send, gateway.Limits{})
	var devices []net.Conn
	for range 3 {
		devices = append(devices, dial(t, s.addr))
	}
	gatewaytest.Eventually(t, "the devices", func() bool { return d.Silent() == len(devices) })
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := d.Listener(plain, 0)
	defer func() { _ = other.Close() }()
	for range 5 * most {
		dial(t, plain.Addr().String())
		c, err := other.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	for _, c := range devices {
		echoes(t, c, "late")
	}
}
