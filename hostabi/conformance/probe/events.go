package probe

import (
	"fmt"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/guesttest"
)

func (s suite) created(t *testing.T) {
	d := device{guesttest.Load(t, s.module, s.cfg), t}
	for want, info := range map[string]hostabi.ConnInfo{
		"type=0 peer=:0 local=:0 cn= dn=": {},
		"type=0 peer=192.0.2.1:50000 local=10.0.0.1:7993 cn= dn=": {
			Peer: hostabi.Address{Host: "192.0.2.1", Port: 50000}, Local: hostabi.Address{Host: "10.0.0.1", Port: 7993},
		},
		"type=3 peer=2001:db8::1:65535 local=::1:1 cn=pump 7 dn=CN=pump 7,O=exgate": {
			SocketType: 3, Peer: hostabi.Address{Host: "2001:db8::1", Port: 65535},
			Local:    hostabi.Address{Host: "::1", Port: 1},
			PeerCert: &hostabi.CertificateInfo{CommonName: "pump 7", DistinguishedName: "CN=pump 7,O=exgate"},
		},
		"type=1 peer=:0 local=:0 cn= dn=": {SocketType: 1, PeerCert: &hostabi.CertificateInfo{}},
		"type=1 peer=:0 local=:0 cn= dn= path=/ws key=a b =": {SocketType: 1, Properties: []hostabi.Property{
			{Name: "path", Value: "/ws"}, {Name: "key", Value: "a b"}, {},
		}},
	} {
		if a := d.Created(conn, info); a != hostabi.ActionContinue {
			t.Errorf("CREATED got action %d", a)
		}
		d.answered("CREATED", "created "+want+"\n")
		d.Closed(conn, "")
		d.called(`log 0 "closed "`)
	}
}

func (s suite) messages(t *testing.T) {
	d := s.start(t)
	first := hostabi.Message{
		Node: "n", ID: "i", QoS: 2, From: "f", Topic: "t/a b", Payload: []byte("p =\n\xff\x00"),
		Timestamp: 1_790_000_000_000,
	}
	if a := d.Messages(conn, first, hostabi.Message{Topic: "u"},
		hostabi.Message{Timestamp: 1<<64 - 1, QoS: 4294967295}); a != hostabi.ActionContinue {
		t.Errorf("MESSAGES got action %d", a)
	}
	d.answered("MESSAGES", "message node=n id=i qos=2 from=f topic=t/a b at=1790000000000 payload=p =\n\xff\x00\n"+
		"message node= id= qos=0 from= topic=u at=0 payload=\n"+
		"message node= id= qos=4294967295 from= topic= at=18446744073709551615 payload=\n")
	d.Messages(conn)
	d.answered("MESSAGES without any", "")
	large := strings.Repeat("p", 60_000)
	d.Messages(conn, hostabi.Message{Topic: "t", Payload: []byte(large)})
	d.answered("a large message", "message node= id= qos=0 from= topic=t at=0 payload="+large+"\n")
	var batch []hostabi.Message
	for range 500 {
		batch = append(batch, hostabi.Message{Topic: "t", Payload: []byte("x")})
	}
	d.Messages(conn, batch...)
	d.answered("a batch", strings.Repeat("message node= id= qos=0 from= topic=t at=0 payload=x\n", 500))
	d.called("")
}

func (s suite) properties(t *testing.T) {
	d := s.start(t)
	d.Messages(conn, hostabi.Message{Topic: "t", Properties: &hostabi.Properties{
		Retain: true, Expiry: 1<<32 - 1, ContentType: "text/plain", ResponseTopic: "r/1",
		Correlation: []byte("c\xff\x00"),
		User:        []hostabi.Property{{Name: "a", Value: "ü"}, {Name: "a"}, {}},
	}}, hostabi.Message{Topic: "u", Properties: &hostabi.Properties{}},
		hostabi.Message{Topic: "v", Properties: &hostabi.Properties{Correlation: []byte("x")}})
	d.answered("MESSAGES", "message node= id= qos=0 from= topic=t at=0 payload= retain=1 expiry=4294967295 "+
		"type=text/plain response=r/1 correlation=c\xff\x00 a=ü a= =\n"+
		"message node= id= qos=0 from= topic=u at=0 payload=\n"+
		"message node= id= qos=0 from= topic=v at=0 payload= correlation=x\n")
	d.says("answer 1 it is done\nanswer 0\n", "")
	d.called(`publish_with CONN token=2 "r/1" qos=1 "it is done" correlation="c\xff\x00"
publish_with CONN token=2 "r/1" qos=0 "" correlation="c\xff\x00"`)
	largest := &hostabi.Properties{ResponseTopic: strings.Repeat("r", 8000)}
	largest.Correlation = []byte(strings.Repeat("c", 8000))
	d.Messages(conn, hostabi.Message{Topic: "t", Properties: largest})
	d.answered("large properties", "message node= id= qos=0 from= topic=t at=0 payload= response="+
		largest.ResponseTopic+
		" correlation="+string(largest.Correlation)+"\n")
	d.says("answer 0 x\n", "")
	d.called(`publish_with CONN token=2 "` + largest.ResponseTopic + `" qos=0 "x" correlation="` +
		string(largest.Correlation) + `"`)
}

func (s suite) timerAndDrain(t *testing.T) {
	d := s.start(t)
	if a := d.Timer(conn); a != hostabi.ActionContinue {
		t.Errorf("TIMER got action %d", a)
	}
	d.answered("TIMER", "timer 0\n")
	for id, want := range map[uint32]string{0: "alarm 0\n", 15: "alarm 15\n", 1<<32 - 1: "alarm 4294967295\n"} {
		if a := d.Alarm(conn, id); a != hostabi.ActionContinue {
			t.Errorf("ALARM got action %d", a)
		}
		d.answered("ALARM", want)
	}
	if a := d.Drain(conn); a != hostabi.ActionContinue {
		t.Errorf("DRAIN got action %d", a)
	}
	d.answered("DRAIN", "drain\n")
	d.Closed(conn, "tcp_closed")
	d.called(`log 0 "closed tcp_closed"`)
}

func (s suite) unknownKinds(t *testing.T) {
	d := s.start(t)
	for _, kind := range []hostabi.Kind{0, 63, 99, 1 << 31, 1<<32 - 1} {
		if a := d.Event(kind, conn, -1, []byte("body")); a != hostabi.ActionContinue {
			t.Errorf("kind %d got action %d", kind, a)
		}
	}
	d.answered("unknown kinds", "")
	d.called("")
}

// manyConnections opens and closes many connections: their state must be found, kept separate and freed.
func (s suite) manyConnections(t *testing.T) {
	d := device{guesttest.Load(t, s.module, s.cfg), t}
	const connections, rounds = 1000, 3
	for round := range int64(rounds) {
		for i := range int64(connections) {
			if a := d.Created(round<<33+i, hostabi.ConnInfo{}); a != hostabi.ActionContinue {
				t.Fatalf("connection %d of round %d got action %d", i, round, a)
			}
			d.Sent(round<<33 + i)
		}
		for _, part := range []string{"mount %d", "\nmo", "unt %d/\nauth c\n"} {
			for i := range int64(connections) {
				d.Bytes(round<<33+i, strings.ReplaceAll(part, "%d", fmt.Sprint(i)))
			}
		}
		for i := range int64(connections) {
			if got := d.Sent(round<<33 + i); got != "ok\nok\n" {
				t.Errorf("connection %d was answered %q", i, got)
			}
			d.Closed(round<<33+i, "normal")
		}
		calls := strings.Split(d.Calls(), "\n")
		for i := range int64(connections) {
			want := fmt.Sprintf(`authenticate %d token=1 proto="probe"/"1" clientid="c" username="" `+
				`mountpoint="%d/" password=""`, round<<33+i, i)
			if calls[i] != want {
				t.Errorf("the probe called\n%s\nwant\n%s", calls[i], want)
			}
		}
	}
}

func (s suite) trap(t *testing.T) {
	d := s.start(t)
	if err := d.TryBytes(conn, "trap\n"); err == nil {
		t.Error("the trap did not trap")
	}
}
