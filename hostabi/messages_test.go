package hostabi

import (
	"bytes"
	"strings"
	"testing"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	pb "github.com/exgate/exgate/proto/exproto"
	"google.golang.org/protobuf/proto"
)

func decode[M proto.Message](t testing.TB, b []byte, m M) M {
	t.Helper()
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func equal(t testing.TB, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

func TestConnInfoIsProtobuf(t *testing.T) {
	full := ConnInfo{
		SocketType: 3, Peer: Address{"192.0.2.1", 65535}, Local: Address{"2001:db8::1", 1},
		PeerCert: &CertificateInfo{strings.Repeat("n", 300), "CN=n"},
	}
	equal(t, decode(t, AppendConnInfo(nil, full), &pb.ConnInfo{}), &pb.ConnInfo{
		Socktype: pb.SocketType_DTLS,
		Peername: &pb.Address{Host: "192.0.2.1", Port: 65535}, Sockname: &pb.Address{Host: "2001:db8::1", Port: 1},
		Peercert: &pb.CertificateInfo{Cn: strings.Repeat("n", 300), Dn: "CN=n"},
	})
	equal(t, decode(t, AppendConnInfo(nil, ConnInfo{}), &pb.ConnInfo{}), &pb.ConnInfo{
		Peername: &pb.Address{}, Sockname: &pb.Address{},
	})
}

// The dialect session has the same message with the same number.
func TestPropertiesAreProtobuf(t *testing.T) {
	info := ConnInfo{PeerCert: &CertificateInfo{"n", "CN=n"}}
	without := len(AppendConnInfo(nil, info))
	info.Properties = []Property{{"path", strings.Repeat("p", 300)}, {"query", ""}}
	equal(t, decode(t, AppendConnInfo(nil, info)[without:], &handlerv1.Created{}), &handlerv1.Created{
		Properties: []*handlerv1.Property{{Name: "path", Value: strings.Repeat("p", 300)}, {Name: "query"}},
	})
}

func TestCodeResponseIsProtobuf(t *testing.T) {
	equal(t, decode(t, AppendCodeResponse(nil, CodePermissionDeny, "no"), &pb.CodeResponse{}),
		&pb.CodeResponse{Code: pb.ResultCode_PERMISSION_DENY, Message: "no"})
	if b := AppendCodeResponse(nil, CodeSuccess, ""); len(b) != 0 {
		t.Errorf("success is %x", b)
	}
}

func FuzzMessagesAreProtobuf(f *testing.F) {
	f.Add("node", "id", uint32(1), "from", "topic", []byte("payload"), uint64(1700000000000))
	f.Add("", "", uint32(0), "", strings.Repeat("t", 200), make([]byte, 70000), uint64(0))
	f.Fuzz(func(t *testing.T, node, id string, qos uint32, from, topic string, payload []byte, timestamp uint64) {
		valid := func(s *string) string { *s = strings.ToValidUTF8(*s, "?"); return *s }
		m := Message{valid(&node), valid(&id), qos, valid(&from), valid(&topic), payload, timestamp, nil}
		want := &pb.Message{
			Node: node, Id: id, Qos: qos, From: from, Topic: topic, Payload: payload, Timestamp: timestamp,
		}
		got := decode(t, AppendMessage(AppendMessage(nil, m), m), &pb.ReceivedMessagesRequest{})
		equal(t, got, &pb.ReceivedMessagesRequest{Messages: []*pb.Message{want, want}})
	})
}

func TestAuthenticateRequest(t *testing.T) {
	want := &pb.AuthenticateRequest{
		Clientinfo: &pb.ClientInfo{ProtoName: "n", ProtoVer: "v", Clientid: "c", Username: "u", Mountpoint: "m/"},
		Password:   "pw",
	}
	b, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	unknown := []byte{
		0xf8, 0x07, 5, 0xfd, 0x07, 1, 2, 3, 4, 0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8, 0xfa, 0x07, 2, 'x', 'y',
	}
	got, err := ParseAuthenticateRequest(append(unknown, b...))
	if err != nil || got != (AuthenticateRequest{"n", "v", "c", "u", "m/", "pw"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, bad := range map[string]string{
		"truncated": "\x1a\x05pw", "group": "\x1b", "field 0": "\x02\x00", "not UTF-8": "\x1a\x01\xff",
		"number too long": "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "inner": "\x12\x02\x1a\x7f", "end": "\x80",
	} {
		if _, err := ParseAuthenticateRequest([]byte(bad)); err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
}

// FuzzParseAuthenticateRequest: messages that are accepted are accepted by protobuf too, with the same fields.
func FuzzParseAuthenticateRequest(f *testing.F) {
	f.Add([]byte{0x12, 4, 0x1a, 2, 'c', '1', 0x1a, 2, 'p', 'w'})
	f.Add([]byte{0x12, 2, 0x0a, 0, 0x12, 3, 0x22, 1, 'u'})
	f.Add(bytes.Repeat([]byte{0x1a, 1, 'x'}, 5))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseAuthenticateRequest(b)
		want := &pb.AuthenticateRequest{}
		if err != nil || proto.Unmarshal(b, want) != nil {
			return
		}
		c := want.GetClientinfo()
		expect := AuthenticateRequest{
			c.GetProtoName(), c.GetProtoVer(), c.GetClientid(), c.GetUsername(), c.GetMountpoint(), want.GetPassword(),
		}
		if got != expect {
			t.Errorf("%x: got %+v, want %+v", b, got, expect)
		}
	})
}
