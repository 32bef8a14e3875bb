package exproto

import (
	"testing"

	"github.com/exgate/exgate/hostabi"
)

func TestMalformedMessages(t *testing.T) {
	for name, b := range map[string]string{
		"field number 0":         "\x02\x00",
		"group":                  "\x0b",
		"length beyond the end":  "\x12\x05abc",
		"huge length":            "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"endless varint":         "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
		"varint cut off":         "\x08\x80",
		"fixed64 cut off":        "\x09\x01\x02",
		"fixed32 cut off":        "\x0d\x01\x02",
		"tag only":               "\x08",
		"field number above max": "\xff\xff\xff\xff\xff\x0f\x00",
	} {
		if err := eachField([]byte(b), func(field) error { return nil }); err == nil {
			t.Errorf("%s: %x was read", name, b)
		}
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	b := []byte("\x9a\x06\x02hi" + "\x99\x0612345678" + "\x9d\x061234" + "\x98\x06\x07")
	r, err := parseResult(append(b, hostabi.AppendCodeResponse(nil, hostabi.CodeLimit, "later")...))
	if err != nil || r != (Result{Code: Limit, Message: "later"}) {
		t.Errorf("got %+v, %v", r, err)
	}
}

func FuzzBodies(f *testing.F) {
	f.Add(hostabi.AppendConnInfo(nil, hostabi.ConnInfo{
		SocketType: 1, PeerCert: &hostabi.CertificateInfo{CommonName: "cn"},
	}))
	f.Add(hostabi.AppendMessage(nil, hostabi.Message{Topic: "t", Payload: []byte("p"), Timestamp: 1}))
	f.Add(hostabi.AppendCodeResponse(nil, hostabi.CodeLimit, "later"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = parseConnInfo(b)
		_, _ = parseMessages(nil, b)
		_, _ = parseResult(b)
	})
}

// FuzzClientInfo checks that the host reads what the guest writes.
func FuzzClientInfo(f *testing.F) {
	f.Add("proto", "1", "id", "user", "m/", "secret")
	f.Fuzz(func(t *testing.T, proto, version, id, user, mount, password string) {
		var got []byte
		c := &Conn{host: recorder{request: &got}}
		c.WithToken(1).Authenticate(ClientInfo{proto, version, id, user, mount}, password)
		want := hostabi.AuthenticateRequest{
			ProtoName: proto, ProtoVersion: version, ClientID: id, Username: user, Mountpoint: mount,
			Password: password,
		}
		a, err := hostabi.ParseAuthenticateRequest(got)
		if err == nil && a != want {
			t.Errorf("got %+v, want %+v", a, want)
		}
	})
}

type recorder struct {
	Host
	request *[]byte
}

func (r recorder) Authenticate(_, _ int64, request []byte) Code {
	*r.request = append([]byte(nil), request...)
	return Success
}
