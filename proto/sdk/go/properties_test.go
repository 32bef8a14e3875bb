package handler_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
	handler "github.com/exgate/exgate/proto/sdk/go"
)

// requester publishes with properties, and answers requests.
type requester struct {
	handler.Nothing
	said *said
}

func (r *requester) OnSocketCreated(c *handler.Conn) {
	r.said.add("path %q, other %q, %d in all", c.Property("path"), c.Property("other"), len(c.Properties()))
}

func (r *requester) OnReceivedBytes(c *handler.Conn, b []byte) {
	r.said.add("published: %v", c.PublishWith("t", 1, b, &handler.Properties{
		Retain: true, Expiry: 60, ContentType: "text/plain", ResponseTopic: "a", Correlation: []byte("7"),
		User: []*handler.Property{{Name: "k", Value: "v"}},
	}))
}

func (r *requester) OnReceivedMessages(c *handler.Conn, messages []*handler.Message) {
	for _, m := range messages {
		request, ok := handler.RequestOf(m)
		if !ok {
			r.said.add("%s: %v", m.GetTopic(), m.Properties.GetUser())
			continue
		}
		r.said.add("answered: %v", c.Answer(request, 1, m.GetPayload()))
	}
}

func serveRequester(t *testing.T) (string, *said) {
	t.Helper()
	s := newSaid()
	return serve(t, handler.Config{New: func() handler.Handler { return &requester{said: s} }}), s
}

func TestSessionProperties(t *testing.T) {
	address, said := serveRequester(t)
	s := openSession(t, address)
	begin := created(1, 1, false)
	begin.GetCreated().Properties = []*handlerv1.Property{{Name: "path", Value: "/ws"}, {Name: "host", Value: "h"}}
	s.events(begin, received(1, 2, "x"))
	published := s.nextWithToken()
	expectProto(t, "published", published.GetPublish(), &handlerv1.Publish{
		Topic: "t", Qos: 1, Payload: []byte("x"), Properties: &handlerv1.Properties{
			Retain: true, Expiry: 60, ContentType: "text/plain", ResponseTopic: "a", Correlation: []byte("7"),
			User: []*handlerv1.Property{{Name: "k", Value: "v"}},
		},
	})
	s.events(result(1, published.GetToken()))
	s.acked(1, 2)
	s.events(&handlerv1.Event{Conn: 1, Seq: 3, Event: &handlerv1.Event_Messages{Messages: &handlerv1.Messages{
		Messages: []*exproto.Message{{Topic: "plain"}, {Topic: "asks", Payload: []byte("?")}, {Topic: "tells"}},
		Properties: map[uint32]*handlerv1.Properties{
			1: {ResponseTopic: "answers/1", Correlation: []byte("c")},
			2: {User: []*handlerv1.Property{{Name: "unit", Value: "kWh"}}},
		},
	}}})
	answer := s.nextWithToken()
	expectProto(t, "the answer", answer.GetPublish(), &handlerv1.Publish{
		Topic: "answers/1", Qos: 1, Payload: []byte("?"), Properties: &handlerv1.Properties{Correlation: []byte("c")},
	})
	s.events(result(1, answer.GetToken()))
	s.acked(1, 3)
	got := strings.Split(said.await(5), "\n")
	expect(t, "said", strings.Join(got[:4], "\n"),
		"path \"/ws\", other \"\", 2 in all\npublished: <nil>\nplain: []\nanswered: <nil>")
	if !strings.Contains(got[4], "unit") || !strings.Contains(got[4], "kWh") {
		t.Error(got[4])
	}
}

// A gateway without properties would publish the message without them.
func TestSessionPropertiesOfAnOlderGateway(t *testing.T) {
	address, said := serveRequester(t)
	s := openSessionWith(t, address, "timers")
	s.events(created(1, 1, false), received(1, 2, "x"))
	s.acked(1, 2)
	if got := said.await(2); !strings.HasSuffix(got,
		"published: PARAMS_TYPE_ERROR: the gateway has no properties: it needs a newer version") {
		t.Error(got)
	}
}

func expectProto(t *testing.T, what string, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
