package capture

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
)

// captured plays with one session and returns the capture.
func captured(t *testing.T, play func(*session)) []byte {
	t.Helper()
	var out bytes.Buffer
	p, err := New(Config{Listener: "a"})
	if err != nil {
		t.Fatal(err)
	}
	to := newStream(p.header(), func() (io.WriteCloser, error) { return nopCloser{&out}, nil }, 0, p.cfg.Logger,
		func(int) {})
	s := p.session(func(s *session) (*stream, uint32) { n, _ := to.join(s); return to, n }, func() {})
	play(s)
	if err := to.end(); err != nil {
		t.Fatal(err)
	}
	if left := p.memory.used.Load(); left != 0 {
		t.Errorf("%d bytes are held still", left)
	}
	return out.Bytes()
}

// inPieces records data as one stream in pieces that random chooses.
func inPieces(s *session, random *rand.Rand, kind tap.Kind, data []byte) {
	for len(data) > 0 {
		n := 1 + random.IntN(len(data))
		s.Record(&tap.Record{Kind: kind, Data: data[:n]})
		data = data[n:]
	}
}

// FuzzSecrecy looks for passwords in captures, however the network and the handler cut the bytes into pieces that
// they came and went in.
func FuzzSecrecy(f *testing.F) {
	f.Add("hunter2", []byte("login a "), []byte("\nlogin b "), uint64(1))
	f.Add("aab", []byte("aaaa"), []byte("b"), uint64(2))
	f.Fuzz(func(t *testing.T, password string, before, after []byte, seed uint64) {
		if password == "" || len(password) > 100 || len(before)+len(after) > 2000 || bytes.ContainsAny([]byte(password),
			"*#-_x.~+=:") {
			return
		}
		random := rand.New(rand.NewPCG(seed, 0))
		said := bytes.Join([][]byte{before, after, before, after}, []byte(password))
		text := captured(t, func(s *session) {
			s.Record(&tap.Record{Kind: tap.Created})
			inPieces(s, random, tap.Bytes, said)
			inPieces(s, random, tap.Send, said)
			s.Record(&tap.Record{
				Kind: tap.Authenticate, Call: 1, Client: gateway.ClientInfo{ClientID: password},
				Password: password,
			})
			s.Record(&tap.Record{Kind: tap.Result, Call: 1})
			for range 10 {
				inPieces(s, random, tap.Bytes, said)
				inPieces(s, random, tap.Send, said)
				s.Record(&tap.Record{Kind: tap.Publish, Topic: "t/" + password, Data: said})
			}
			s.Record(&tap.Record{Kind: tap.Closed, Reason: gateway.ReasonNormal.With("%s", password)})
			s.Record(&tap.Record{Kind: tap.Handled, At: time.Second})
		})
		look(t, text, password, 22*len(said))
	})
}

// look fails if the streams or fields of a capture contain the password, or if the streams have another length.
func look(t *testing.T, text []byte, password string, length int) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	streams := make(map[tap.Kind][]byte)
	for e, err := range r.All() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Record.Kind != tap.Publish {
			streams[e.Record.Kind] = append(streams[e.Record.Kind], e.Record.Data...)
		}
		payload := string(e.Record.Data)
		for _, text := range append(texts(&e.Record), &payload) {
			if bytes.Contains([]byte(*text), []byte(password)) {
				t.Errorf("%q is in %q", password, *text)
			}
		}
	}
	if got := len(streams[tap.Bytes]) + len(streams[tap.Send]); got != length {
		t.Errorf("%d bytes of %d", got, length)
	}
	for kind, stream := range streams {
		if bytes.Contains(stream, []byte(password)) {
			t.Errorf("%q is in %v: %q", password, kind, stream)
		}
	}
}

// Properties of a connection are captured, its password masked even if it is no password of a login.
func TestPropertiesAreCapturedWithoutSecrets(t *testing.T) {
	const login, basic = "hunter2", "swordfish"
	properties := []gateway.Property{
		{Name: "query", Value: "token=" + login}, {Name: gateway.PropertyPassword, Value: basic},
	}
	text := captured(t, func(s *session) {
		s.Record(&tap.Record{Kind: tap.Created, Info: gateway.ConnInfo{Properties: properties}})
		s.Record(&tap.Record{Kind: tap.Authenticate, Call: 1, Password: login})
		s.Record(&tap.Record{Kind: tap.Result, Call: 1})
		s.Record(&tap.Record{Kind: tap.Closed, Reason: gateway.ReasonNormal})
		s.Record(&tap.Record{Kind: tap.Handled, At: time.Second})
	})
	if bytes.Contains(text, []byte(login)) || bytes.Contains(text, []byte(basic)) {
		t.Errorf("%s", text)
	}
	if properties[0].Value != "token="+login {
		t.Errorf("the connection's own properties are %q", properties)
	}
	want := []gateway.Property{
		{Name: "query", Value: "token=*******"}, {Name: gateway.PropertyPassword, Value: "*********"},
	}
	r, err := NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := r.Next(); err != nil || !slices.Equal(e.Record.Info.Properties, want) {
		t.Errorf("read %+v, %v", e, err)
	}
}
